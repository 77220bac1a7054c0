//! What was stored, or handed out, and does not come back as it was.

use idaas_login::{Client, MfaRequired, PendingBind, ResumeError, Suspended};

use super::{Came, Case, other, variant};
use support::{CLIENT_ID, SOCIAL_BIND, always, client, pending_bind};

pub(super) const CASES: &[Case] = &[
    ("a stage of another kind", || resumed(home().resume::<MfaRequired>(suspended()))),
    ("a stage of another tenant", || {
        let elsewhere = Client::builder("https://other.example.com", CLIENT_ID);
        resumed(elsewhere.build_with(always(200, SOCIAL_BIND)).unwrap().resume::<PendingBind>(suspended()))
    }),
    ("a stage of a newer library", || {
        let mut bytes = suspended().to_bytes().to_vec();
        bytes[1] = 9; // the version
        resumed(home().resume::<PendingBind>(Suspended::from_bytes(&bytes)))
    }),
    ("no stage at all", || resumed(home().resume::<PendingBind>(Suspended::from_bytes(b"nonsense")))),
];

fn home() -> Client {
    client(always(200, SOCIAL_BIND))
}

fn suspended() -> Suspended {
    pending_bind(&home()).suspend()
}

fn resumed<T: std::fmt::Debug>(result: Result<T, ResumeError>) -> Came {
    let error = result.unwrap_err();
    other(variant("ResumeReason", error.reason()), "the value", error.to_string())
}

#[cfg(feature = "seal")]
pub(super) use sealed::SEALED;

#[cfg(feature = "seal")]
mod sealed {
    use std::time::{Duration, SystemTime};

    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use idaas_login::{SealKey, Sealer, UnsealError};

    use super::{Came, Case, Suspended, other, suspended, variant};

    pub(in super::super) const SEALED: &[Case] = &[
        ("a handle that is too old", || {
            let later = sealer(1, 7).clock(|| SystemTime::now() + Duration::from_secs(601));
            opened(later.open(&handle(), b"cookie"))
        }),
        ("a handle of another key", || opened(sealer(2, 7).open(&handle(), b"cookie"))),
        ("a handle in another context", || opened(sealer(1, 7).open(&handle(), b"another"))),
        ("a handle that was changed", || opened(sealer(1, 8).open(&handle(), b"cookie"))),
        ("a handle that expires too late", || {
            let limited = sealer(1, 7).longest_lifetime(Duration::from_secs(60));
            opened(limited.open(&handle(), b"cookie"))
        }),
        ("a handle, and no context", || opened(sealer(1, 7).open(&handle(), b""))),
        ("a text that is larger than a handle", || {
            opened(sealer(1, 7).open(&"A".repeat((128 << 10) + 1), b"cookie"))
        }),
        ("no handle at all", || opened(sealer(1, 7).open("nonsense", b"cookie"))),
        ("a handle of a newer library", || {
            let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(handle()).unwrap();
            bytes[0] = 9; // the version
            opened(sealer(1, 7).open(&BASE64_URL_SAFE_NO_PAD.encode(bytes), b"cookie"))
        }),
    ];

    fn sealer(id: u32, secret: u8) -> Sealer {
        let secret: [u8; 32] = std::array::from_fn(|at| secret.wrapping_add(u8::try_from(at).unwrap()));
        Sealer::new(SealKey::new(id, &secret).unwrap(), Duration::from_secs(600))
    }

    fn handle() -> String {
        sealer(1, 7).seal(&suspended(), b"cookie").unwrap()
    }

    /// In the log the reason stands beside the error.
    fn opened(result: Result<Suspended, UnsealError>) -> Came {
        let error = result.unwrap_err();
        other(variant("UnsealReason", error.reason()), "nothing", format!("{error}: {}", error.reason()))
    }
}
