//! Sealed handles.

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use idaas_login::{SealKey, Sealer, Suspended};

const NOW: u64 = 1_700_000_000;
const LIFETIME: u64 = 600;
const CONTEXT: &[u8] = b"cookie";

/// A handle of [`sealer`], sealed once, of the bytes `a suspended stage`.
pub const HANDLE: &str =
    "AQAAAAIAAAAAZVPzWGcgKL4SWw-e7jYgzY8mwExhjq8m5zVdrV87jw3kwm2jkqvqIgf7AlhAP9KiUYL6LaRrqKxS0u5g-kge81E";

fn key(id: u32, secret: u8) -> SealKey {
    let secret: Vec<u8> = (0..32).map(|at| secret.wrapping_add(at)).collect();
    SealKey::new(id, &secret).expect("it is long enough")
}

fn sealer(now: u64) -> Sealer {
    Sealer::new(key(2, 2), Duration::from_secs(LIFETIME))
        .also_open(key(1, 1))
        .clock(move || UNIX_EPOCH + Duration::from_secs(now))
}

/// A handle, any or one of ours that was changed.
pub fn sealed(data: &[u8]) {
    match data.split_first() {
        Some((0, text)) => any_handle(&String::from_utf8_lossy(text)),
        Some((how, [high, low, by, plain @ ..])) => {
            changed_handle(*how, u16::from_be_bytes([*high, *low]).into(), *by, plain);
        }
        _ => {}
    }
}

/// The one handle that is known opens, no other text does.
fn any_handle(text: &str) {
    let opened = sealer(NOW).open(text, CONTEXT);
    assert_eq!(opened.is_ok(), text == HANDLE);
    match opened {
        Ok(suspended) => assert_eq!(suspended.to_bytes(), b"a suspended stage"),
        Err(error) => assert_eq!(error.to_string(), "the handle is not valid"),
    }
}

/// What was sealed opens as it was, and not once it is changed, elsewhere or too late.
fn changed_handle(how: u8, at: usize, by: u8, plain: &[u8]) {
    let suspended = Suspended::from_bytes(plain);
    let handle = sealer(NOW).seal(&suspended, CONTEXT).expect("sealed");
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(&handle).expect("Base64");
    let fails = |sealer: &Sealer, handle: &str, context: &[u8]| {
        let opened = sealer.open(handle, context);
        assert!(opened.is_err(), "{how} {at} {by}: it opens");
    };
    let fails_as = |bytes: &[u8]| fails(&sealer(NOW), &BASE64_URL_SAFE_NO_PAD.encode(bytes), CONTEXT);
    match how % 8 {
        0 => {
            for now in [NOW, NOW + LIFETIME - 1] {
                assert_eq!(sealer(now).open(&handle, CONTEXT).expect("it is whole"), suspended);
            }
            assert!(!handle.contains(['+', '/', '=']));
        }
        1 => {
            let mut changed = bytes.clone();
            let at = at % changed.len();
            changed[at] ^= by.max(1);
            fails_as(&changed);
        }
        2 => fails_as(&bytes[..at % bytes.len()]),
        3 => {
            let mut changed = bytes.clone();
            changed.insert(at % (changed.len() + 1), by);
            // The same byte put beside itself at the end of a run is still one byte more.
            fails_as(&changed);
        }
        4 => {
            let mut changed = handle.clone();
            let at = at % changed.len();
            let by = char::from(by & 0x7f);
            changed.replace_range(at..=at, by.encode_utf8(&mut [0; 4]));
            if changed != handle {
                fails(&sealer(NOW), &changed, CONTEXT);
            }
        }
        5 => {
            let mut context = CONTEXT.to_vec();
            context.insert(at % (context.len() + 1), by);
            fails(&sealer(NOW), &handle, &context);
            fails(&sealer(NOW), &handle, b"");
        }
        6 => fails(&sealer(NOW + LIFETIME + u64::from(by)), &handle, CONTEXT),
        _ => {
            let other = |key| Sealer::new(key, Duration::from_secs(LIFETIME));
            fails(&other(key(2, 3)).clock(|| UNIX_EPOCH + Duration::from_secs(NOW)), &handle, CONTEXT);
            fails(&other(key(3, 2)).clock(|| UNIX_EPOCH + Duration::from_secs(NOW)), &handle, CONTEXT);
        }
    }
}
