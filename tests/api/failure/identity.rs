//! A login that is finished, and a user of whom nobody knows who it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use idaas_login::emulator::{Emulator, Fault, Settings, User};
use idaas_login::endpoints::{KEYS_PATH, Platform};
use idaas_login::{Authenticated, IdToken, IdTokenError, IdTokenVerifier, KeyCache, Outcome};

use super::{Came, Case, other, variant};
use support::device;

pub(super) const CASES: &[Case] = &[
    ("the tenant's keys cannot be fetched", || {
        let tenant = Emulator::new();
        tenant.fail_next(KEYS_PATH, Fault::LoseRequest);
        identified(&tenant)
    }),
    ("the tenant's key set cannot be read", || {
        identified(&tenant(|settings| settings.broken_key_set = Some("<html>".to_owned())))
    }),
    ("the tenant has no usable key", || {
        identified(&tenant(|settings| settings.broken_key_set = Some(r#"{"keys":[]}"#.to_owned())))
    }),
    ("the tenant's keys are too old", || {
        let tenant = Emulator::new();
        let passed = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&passed);
        let user = logged_in(&tenant);
        let cache = KeyCache::builder(user.client())
            .clock(move || SystemTime::now() + Duration::from_secs(clock.load(Ordering::SeqCst)));
        let verifier = IdTokenVerifier::with_cache(cache.build()).unwrap();
        user.identify(&verifier).unwrap();
        passed.store(24 * 3600, Ordering::SeqCst);
        tenant.fail_next(KEYS_PATH, Fault::LoseRequest);
        refused(&user.identify(&verifier).unwrap_err())
    }),
    ("there is no identity token", || identified(&tenant(|settings| settings.id_token = false))),
    ("the identity token is too old", || {
        let past = SystemTime::now() - Duration::from_secs(3600);
        identified(&Emulator::new().with_clock(move || past))
    }),
    ("an identity token whose time has not come", || {
        let tenant = Emulator::new();
        tenant.advance(Duration::from_secs(3600));
        identified(&tenant)
    }),
    ("an identity token that is not accepted", || {
        let verifier = IdTokenVerifier::new(&Emulator::new().client().unwrap()).unwrap();
        refused(&verifier.verify(&IdToken::from_text("nonsense")).unwrap_err())
    }),
];

fn tenant(change: impl FnOnce(&mut Settings)) -> Emulator {
    let tenant = Emulator::new();
    tenant.configure(change);
    tenant
}

/// A whole login, and what comes of asking who it was.
fn identified(tenant: &Emulator) -> Came {
    let user = logged_in(tenant);
    let verifier = IdTokenVerifier::new(user.client()).unwrap();
    refused(&Authenticated::identify(&user, &verifier).unwrap_err())
}

/// A whole login.
fn logged_in(tenant: &Emulator) -> Authenticated {
    tenant.add_user(User::new("zhangshan"));
    tenant.bind(Platform::WeChatMiniProgram, "an-openid", "zhangshan");
    let client = tenant.client().unwrap();
    let code = tenant.wechat_login_code("an-openid");
    let Outcome::Authenticated(user) = client.login(device()).wechat_mini_program(code).send().unwrap()
    else {
        panic!("it is bound")
    };
    user
}

fn refused(error: &IdTokenError) -> Came {
    other(variant("IdTokenError", error), "the session", support::with_causes(error))
}
