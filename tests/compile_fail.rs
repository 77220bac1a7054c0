//! What the compiler refuses.
//!
//! For every pair of a stage and a step of the endpoint table: a legal pair compiles, an illegal one does not, because
//! there is no such method. Then the mistakes that have nothing to do with the table, each with its reason.
//!
//! The programs are checked by cargo in a package of their own. Error codes and the compiler's JSON messages are compared,
//! not its prose, which changes with each release.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use idaas_login::endpoints::{self, OriginKind, Platform, Scenario, StageKind};

/// A stage as a type, and as a row of the table names it.
struct StageType {
    rust: String,
    kind: StageKind,
    /// `None` if a login of each origin has it.
    origin: Option<OriginKind>,
}

/// Every stage type.
fn stages() -> Vec<StageType> {
    let plain = |rust: &str, kind| StageType { rust: rust.to_owned(), kind, origin: None };
    let mut stages = vec![
        plain("Client", StageKind::Client),
        plain("Captcha", StageKind::Captcha),
        plain("Unauthenticated", StageKind::Unauthenticated),
        plain("Authenticated", StageKind::Authenticated),
        plain("Registration", StageKind::Registration),
        plain("PasswordReset", StageKind::PasswordReset),
    ];
    for origin in OriginKind::ALL.iter().copied() {
        for kind in [
            StageKind::PendingBind,
            StageKind::PendingRegister,
            StageKind::MfaRequired,
            StageKind::PasswordExpiring,
            StageKind::PasswordExpired,
        ] {
            stages.push(StageType { rust: format!("{kind}<{origin:?}>"), kind, origin: Some(origin) });
        }
    }
    let narrowed = |stage: &StageType| {
        let scenario = Scenario::ALL.iter().copied().find(|scenario| scenario.stage() == stage.kind)?;
        let of = |name: &str, kind| StageType {
            rust: format!("{name}<{}>", stage.rust),
            kind,
            origin: stage.origin,
        };
        Some([
            of("VerifyPhone", StageKind::VerifyPhone(scenario)),
            of("VerifyEmail", StageKind::VerifyEmail(scenario)),
        ])
    };
    let narrowed: Vec<_> = stages.iter().filter_map(narrowed).flatten().collect();
    stages.extend(narrowed);
    stages
}

/// Every step, with arguments that have the right types. A step of the table that is missing here fails the test.
fn arguments() -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([
        ("wechat_mini_program", r#""code""#),
        ("wechat_mobile", r#""code""#),
        ("username_password", r#""zhangshan", "password""#),
        ("submit", r#""123456""#),
        ("phone", r#""152""#),
        ("email", r#""a@b.c""#),
        ("back", ""),
        ("wechat_mini_program_mobile", r#""code""#),
        ("alipay_mini_program", r#""code""#),
        ("alipay_mobile", r#""encrypted""#),
        ("send_code", "pass"),
        ("registered_mobile", ""),
        ("renew_id_token", ""),
        ("identifier_password", r#""152", "password""#),
        ("wechat_app", r#""code""#),
        ("alipay_app", r#""code""#),
        ("qq", r#""token", "D892""#),
        ("weibo", r#""token", "uid""#),
        ("apple", r#""code""#),
        ("carrier_one_tap", r#""token""#),
        ("register", "RegistrationAttributes::new()"),
        ("reset_password", ""),
        ("change_password", r#""old", "new""#),
        ("keep_password", ""),
        ("captcha", "device"),
        ("logout", ""),
        ("public_key", "device"),
        ("server_date", "device"),
        ("country_codes", "device"),
        ("solve", r#"237.0, "152""#),
    ])
}

/// The arguments of a step, as the stage takes them: some codes come with a new password.
fn arguments_at(stage: &StageType, step: &str, arguments: &'static str) -> &'static str {
    let is_new_password = |row: &&&endpoints::Endpoint| {
        row.from == stage.kind
            && row.step == step
            && row.fields.iter().any(|field| field.name.ends_with("password"))
    };
    let is_submit = step == "submit" && endpoints::ALL.iter().any(|row| is_new_password(&row));
    if is_submit { r#""123456", "new""# } else { arguments }
}

/// Whether the table has the step for the stage.
fn is_legal(stage: &StageType, step: &str) -> bool {
    let row = endpoints::ALL.iter().any(|row| {
        row.step == step
            && row.from == stage.kind
            && row
                .platform
                .map(Platform::origin)
                .is_none_or(|of_row| stage.origin.is_none_or(|own| own == of_row))
    });
    row || endpoints::NARROWINGS.iter().any(|row| row.step == step && row.from == stage.kind)
}

/// A mistake, and the code of the error that it must give.
struct Mistake {
    name: &'static str,
    code: &'static str,
    /// A part of the message that does not depend on the compiler's release.
    message: &'static str,
    program: &'static str,
}

const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "a_stage_used_twice",
        code: "E0382",
        message: "use of moved value: `stage`",
        program: r#"
            pub fn f(stage: PendingBind) {
                let _ = stage.username_password("zhangshan", "first").send();
                let _ = stage.username_password("zhangshan", "second").send();
            }"#,
    },
    Mistake {
        name: "a_step_sent_twice",
        code: "E0382",
        message: "use of moved value: `step`",
        program: r"
            pub fn f(step: Step<PendingBind>) {
                let _ = step.send();
                let _ = step.send();
            }",
    },
    Mistake {
        name: "a_step_after_a_failed_one",
        code: "E0382",
        message: "use of moved value: `stage`",
        program: r#"
            pub fn f(stage: PendingBind) {
                match stage.wechat_mobile("code").send() {
                    Ok(_) => {}
                    Err(_) => drop(stage.wechat_mobile("another")),
                }
            }"#,
    },
    Mistake {
        name: "a_step_after_a_failed_match",
        code: "E0382",
        message: "partially moved value: `outcome`",
        program: r#"
            pub fn f(outcome: Outcome) {
                if let Outcome::Authenticated(user) = outcome {
                    drop(user);
                }
                println!("{outcome:?}");
            }"#,
    },
    Mistake {
        name: "an_outcome_forgotten",
        code: "E0004",
        message: "`Outcome::MfaRequired(_)` not covered",
        program: r"
            pub fn f(outcome: Outcome) {
                match outcome {
                    Outcome::Authenticated(_) => {}
                    Outcome::PendingBind(_) => {}
                    Outcome::PendingRegister(_) => {}
                    Outcome::PasswordExpiring(_) => {}
                    Outcome::PasswordExpired(_) => {}
                }
            }",
    },
    Mistake {
        name: "an_expired_password_forgotten",
        code: "E0004",
        message: "`Outcome::PasswordExpired(_)` not covered",
        program: r"
            pub fn f(outcome: Outcome<Account>) {
                match outcome {
                    Outcome::Authenticated(_) => {}
                    Outcome::PendingBind(_) | Outcome::PendingRegister(_) => {}
                    Outcome::MfaRequired(_) => {}
                    Outcome::PasswordExpiring(_) => {}
                }
            }",
    },
    Mistake {
        name: "an_expired_password_kept",
        code: "E0599",
        message: "no method named `keep_password` found for struct `PasswordExpired",
        program: r"
            pub fn f(stage: PasswordExpired) {
                drop(stage.keep_password());
            }",
    },
    Mistake {
        name: "a_code_alone_for_a_reset",
        code: "E0061",
        message: "this method takes 2 arguments but 1 argument was supplied",
        program: r#"
            pub fn f(stage: VerifyPhone<PasswordReset>) {
                drop(stage.submit("123456"));
            }"#,
    },
    Mistake {
        name: "a_code_alone_for_an_expired_password",
        code: "E0061",
        message: "this method takes 2 arguments but 1 argument was supplied",
        program: r#"
            pub fn f(stage: VerifyEmail<PasswordExpired>) {
                drop(stage.submit("123456"));
            }"#,
    },
    Mistake {
        name: "a_new_password_for_a_login",
        code: "E0061",
        message: "this method takes 1 argument but 2 arguments were supplied",
        program: r#"
            pub fn f(stage: VerifyPhone<Unauthenticated>) {
                drop(stage.submit("123456", "new"));
            }"#,
    },
    Mistake {
        name: "a_reset_stage_where_a_code_alone_is_due",
        code: "E0277",
        message: "no verification code alone moves `PasswordReset` on",
        program: r"
            pub fn submit<C: Channel, S: AcceptsCode>(stage: Verify<C, S>) {}
            pub fn f(stage: VerifyPhone<PasswordReset>) {
                submit(stage);
            }",
    },
    Mistake {
        name: "a_login_code_for_a_registration",
        code: "E0308",
        message: "mismatched types",
        program: r"
            pub fn f(stage: VerifyPhone<Unauthenticated>) -> VerifyPhone<Registration> {
                stage
            }",
    },
    Mistake {
        name: "a_login_code_for_a_reset",
        code: "E0308",
        message: "mismatched types",
        program: r"
            pub fn f(stage: VerifyPhone<Unauthenticated>) -> VerifyPhone<PasswordReset> {
                stage
            }",
    },
    Mistake {
        name: "a_login_code_for_a_second_factor",
        code: "E0308",
        message: "mismatched types",
        program: r"
            pub fn f(stage: VerifyPhone<Unauthenticated>) -> VerifyPhone<MfaRequired<Account>> {
                stage
            }",
    },
    Mistake {
        name: "a_reset_with_a_session",
        code: "E0599",
        message: "no method named `reset_password` found for struct `Authenticated",
        program: r"
            pub fn f(user: Authenticated) {
                drop(user.reset_password());
            }",
    },
    Mistake {
        name: "a_session_from_a_reset",
        code: "E0308",
        message: "cannot convert from `Unauthenticated` to `Outcome<Account>`",
        program: r#"
            pub fn f(stage: VerifyPhone<PasswordReset>) -> Result<Outcome<Account>, Error> {
                Ok(stage.submit("123456", "new").send()?)
            }"#,
    },
    Mistake {
        name: "the_phone_button_of_another_login",
        code: "E0599",
        message: "no method named `wechat_mobile` found for struct `PendingBind<SocialApp>`",
        program: r#"
            pub fn f(stage: PendingBind<SocialApp>) {
                drop(stage.wechat_mobile("code"));
            }"#,
    },
    Mistake {
        name: "an_account_outcome_where_a_mini_programs_is_due",
        code: "E0308",
        message: "mismatched types",
        program: r#"
            pub fn f(login: Unauthenticated) -> Step<Unauthenticated> {
                login.username_password("zhangshan", "password")
            }"#,
    },
    Mistake {
        name: "a_recovery_forgotten",
        code: "E0004",
        message: "`Recovery::Unresolved(_)` not covered",
        program: r"
            pub fn f(recovery: Recovery<PendingBind>) {
                match recovery {
                    Recovery::Retry(_) => {}
                    Recovery::StartOver(_) => {}
                }
            }",
    },
    Mistake {
        name: "a_step_not_sent",
        code: "unused_must_use",
        message: "that must be used",
        program: r#"
            pub fn f(stage: PendingBind) {
                stage.wechat_mobile("code");
            }"#,
    },
    Mistake {
        name: "an_outcome_not_looked_at",
        code: "unused_must_use",
        message: "that must be used",
        program: r#"
            pub fn f(stage: PendingBind) -> Result<(), Error> {
                stage.wechat_mobile("code").send()?;
                Ok(())
            }"#,
    },
    Mistake {
        name: "a_request_in_flight_not_waited_for",
        code: "unused_must_use",
        message: "that must be used",
        program: r#"
            pub fn f(stage: PendingBind) {
                let Ok((_request, in_flight)) = stage.wechat_mobile("code").into_request() else { return };
                std::convert::identity(in_flight);
            }"#,
    },
    Mistake {
        name: "a_stage_built_by_hand",
        code: "E0451",
        message: "of struct `PendingBind` are private",
        program: r"
            pub fn f(other: PendingBind) -> PendingBind {
                PendingBind { ..other }
            }",
    },
    Mistake {
        name: "an_authenticated_built_by_hand",
        code: "E0451",
        message: "of struct `Authenticated` are private",
        program: r"
            pub fn f(other: Authenticated) -> Authenticated {
                Authenticated { ..other }
            }",
    },
    Mistake {
        name: "a_state_token_built_by_hand",
        code: "E0423",
        message: "cannot initialize a tuple struct which contains private fields",
        program: r#"
            pub fn f() -> StateToken {
                StateToken("eyJhbGciOiJIUzI1NiJ9".to_owned())
            }"#,
    },
    Mistake {
        name: "a_stage_cloned",
        code: "E0599",
        message: "no method named `clone` found for struct `PendingBind",
        program: r"
            pub fn f(stage: PendingBind) -> (PendingBind, PendingBind) {
                (stage.clone(), stage)
            }",
    },
    Mistake {
        name: "a_bind_code_for_a_register_stage",
        code: "E0308",
        message: "mismatched types",
        program: r#"
            pub fn register(stage: VerifyPhone<PendingRegister>, code: &str) {
                drop(stage.submit(code));
            }
            pub fn f(stage: VerifyPhone<PendingBind>) {
                register(stage, "123456");
            }"#,
    },
    Mistake {
        name: "a_phone_stage_where_email_is_due",
        code: "E0308",
        message: "mismatched types",
        program: r"
            pub fn f(stage: VerifyPhone<PendingBind>) -> VerifyEmail<PendingBind> {
                stage
            }",
    },
    Mistake {
        name: "a_destination_for_a_stage_that_takes_no_code",
        code: "E0277",
        message: "no verification code can be requested for `Authenticated`",
        program: r"
            pub fn f(_: VerifyPhone<Authenticated>) {}",
    },
    Mistake {
        name: "a_stage_of_ones_own",
        code: "E0277",
        message: "`Mine` cannot implement a sealed trait",
        program: r"
            #[derive(Debug)]
            pub struct Mine;
            impl idaas_login::Stage for Mine {
                fn kind(&self) -> idaas_login::endpoints::StageKind {
                    idaas_login::endpoints::StageKind::PendingBind
                }
                fn state_token(&self) -> Option<&StateToken> {
                    None
                }
            }",
    },
    Mistake {
        name: "any_stage_from_any_other",
        code: "E0061",
        message: "of type `sealed::Inside` is missing",
        program: r"
            pub fn f<A: Stage + Resumable, B: Resumable>(a: &A) -> Option<B> {
                B::restore(a.context().clone(), &a.fields()).ok()
            }",
    },
    Mistake {
        name: "two_stages_from_one",
        code: "E0308",
        message: "mismatched types",
        program: r"
            pub fn f<A: Stage + Resumable>(a: &A) -> Option<A> {
                A::restore(a.context(()).clone(), &a.fields(()), ()).ok()
            }",
    },
    Mistake {
        name: "a_stage_of_another_clients_login",
        code: "E0277",
        message: "the trait bound `sealed::Inside: Default` is not satisfied",
        program: r"
            pub fn f(mine: &PendingBind, theirs: &Unauthenticated) -> Option<PendingBind> {
                let context = theirs.context(Default::default()).clone();
                PendingBind::restore(context, &mine.fields(Default::default()), Default::default()).ok()
            }",
    },
    Mistake {
        name: "the_proof_by_its_name",
        code: "E0603",
        message: "module `sealed` is private",
        program: r"
            pub fn f(stage: &PendingBind) -> bool {
                let _ = stage.tokens(idaas_login::sealed::INSIDE);
                true
            }",
    },
    Mistake {
        name: "the_proof_by_a_conversion",
        code: "E0277",
        message: "the trait bound `sealed::Inside: From<()>` is not satisfied",
        program: r"
            pub fn f(stage: &PendingBind) {
                let _ = stage.tokens(().into());
            }",
    },
    Mistake {
        name: "the_proof_from_text",
        code: "E0277",
        message: "the trait bound `sealed::Inside: FromStr` is not satisfied",
        program: r#"
            pub fn f(stage: &PendingBind) {
                let Ok(proof) = "".parse() else { return };
                let _ = stage.tokens(proof);
            }"#,
    },
    Mistake {
        name: "the_rows_of_another_scenario",
        code: "E0061",
        message: "of type `sealed::Inside` is missing",
        program: r"
            pub fn f<C: Channel>() -> idaas_login::endpoints::CodeRows {
                C::rows(idaas_login::endpoints::Scenario::SecondFactor)
            }",
    },
    Mistake {
        name: "a_scenario_of_ones_own",
        code: "E0117",
        message: "only traits defined in the current crate can be implemented for types defined outside of the crate",
        program: r"
            impl SendsCode for Authenticated {
                const SCENARIO: idaas_login::endpoints::Scenario = idaas_login::endpoints::Scenario::Bind;
            }",
    },
    Mistake {
        name: "a_channel_of_ones_own",
        code: "E0277",
        message: "`Mine` cannot implement a sealed trait",
        program: r"
            #[derive(Debug)]
            pub struct Mine;
            impl Channel for Mine {}",
    },
    Mistake {
        name: "an_outcome_from_nothing",
        code: "E0061",
        message: "of type `sealed::Inside` is missing",
        program: r"
            pub fn f<S: Stage, N: Next<S>>(stage: S, answer: N::Answer) -> Option<N> {
                N::reached(stage, answer).ok()
            }",
    },
    Mistake {
        name: "a_reply_from_nothing",
        code: "E0061",
        message: "of type `sealed::Inside` is missing",
        program: r"
            pub fn f<T: Reply<Kept = ()>, S: Stage>(stage: &S, response: Response) -> Option<T> {
                T::read((), stage.context().clone(), response).ok()
            }",
    },
    Mistake {
        name: "an_http_client_for_a_transport",
        code: "E0277",
        message: "`Agent` is not a transport",
        program: r#"
            pub struct Agent;
            pub fn f() -> Result<Client, Error> {
                Client::builder("https://acme.example.com", "an-id").build_with(Agent)
            }"#,
    },
    Mistake {
        name: "a_client_for_a_stage",
        code: "E0277",
        message: "`Client` is not a stage of the login",
        program: r"
            pub fn kind<S: Stage>(_: &S) {}
            pub fn f(client: &Client) {
                kind(client);
            }",
    },
    Mistake {
        name: "a_bind_code_for_a_second_factor",
        code: "E0308",
        message: "mismatched types",
        program: r#"
            pub fn second_factor(stage: VerifyPhone<MfaRequired>, code: &str) {
                drop(stage.submit(code));
            }
            pub fn f(stage: VerifyPhone<PendingBind>) {
                second_factor(stage, "123456");
            }"#,
    },
    Mistake {
        name: "an_alipay_bind_of_a_wechat_login",
        code: "E0599",
        message: "no method named `alipay_mobile` found for struct `PendingBind",
        program: r#"
            pub fn f(stage: PendingBind) {
                drop(stage.alipay_mobile("encrypted"));
            }"#,
    },
    Mistake {
        name: "an_alipay_outcome_where_wechat_is_due",
        code: "E0308",
        message: "mismatched types",
        program: r#"
            pub fn f(login: Unauthenticated) -> Step<Unauthenticated> {
                login.alipay_mini_program("code")
            }"#,
    },
    Mistake {
        name: "a_code_asked_for_without_a_pass",
        code: "E0308",
        message: "mismatched types",
        program: r#"
            pub fn f(stage: &VerifyPhone<MfaRequired>) {
                drop(stage.send_code("captcha token"));
            }"#,
    },
    Mistake {
        name: "a_code_asked_for_before_a_destination_is_known",
        code: "E0599",
        message: "no method named `send_code` found for struct `MfaRequired",
        program: r"
            pub fn f(stage: MfaRequired, pass: &CaptchaPass) {
                drop(stage.send_code(pass));
            }",
    },
    Mistake {
        name: "a_stage_resumed_that_cannot_be_suspended",
        code: "E0277",
        message: "`Unauthenticated` cannot be suspended",
        program: r"
            pub fn f(client: &Client, suspended: Suspended) {
                drop(client.resume::<Unauthenticated>(suspended));
            }",
    },
    Mistake {
        name: "a_stage_used_after_it_was_suspended",
        code: "E0382",
        message: "use of moved value: `stage`",
        program: r#"
            pub fn f(stage: PendingBind) -> Suspended {
                let suspended = stage.suspend();
                drop(stage.wechat_mobile("code"));
                suspended
            }"#,
    },
    Mistake {
        name: "a_resumed_stage_forgotten",
        code: "E0004",
        message: "not covered",
        program: r"
            pub fn f(resumed: Resumed) {
                match resumed {
                    Resumed::Stage(AnyStage::PendingBind(_) | AnyStage::PendingRegister(_)) => {}
                    Resumed::Stage(AnyStage::MfaRequired(_) | AnyStage::Authenticated(_)) => {}
                    Resumed::Unresolved(_) => {}
                }
            }",
    },
    Mistake {
        name: "an_origin_of_ones_own",
        code: "E0277",
        message: "`Mine` cannot implement a sealed trait",
        program: r"
            #[derive(Debug)]
            pub struct Mine;
            impl Origin for Mine {
                const KIND: idaas_login::endpoints::OriginKind = idaas_login::endpoints::OriginKind::Account;
            }",
    },
    Mistake {
        name: "a_token_printed",
        code: "E0277",
        message: "`SessionToken` doesn't implement `std::fmt::Display`",
        program: r#"
            pub fn f(user: &Authenticated) -> String {
                format!("{}", user.session_token())
            }"#,
    },
];

const PRELUDE: &str =
    "#![deny(unused_must_use)]\n#![allow(unused_imports, unused_variables)]\nuse idaas_login::*;\n";

/// A message of the compiler.
#[derive(Debug)]
struct Message {
    program: String,
    code: String,
    text: String,
    line: u64,
}

/// An empty package of this name that depends on the crate with this feature alone.
fn package(name: &str, feature: &str) -> PathBuf {
    let root = support::root();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::write(
        folder.join("Cargo.toml"),
        format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
             [dependencies]\nidaas-login = {{ path = '{}', default-features = false, features = ['{feature}'] }}\n\n[workspace]\n",
            root.display()
        ),
    )
    .unwrap();
    // The same versions as in the crate's own lock file, so that nothing is fetched.
    let _ = fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock"));
    folder
}

/// Runs Cargo in such a package.
fn cargo_in(folder: &Path, arguments: &[&str]) -> Output {
    support::cargo()
        .args(arguments)
        .arg("--offline")
        .arg("--target-dir")
        .arg(folder.join("target"))
        .current_dir(folder)
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap()
}

/// Checks the programs, and gives the compiler's errors.
fn check(programs: &BTreeMap<String, String>) -> Vec<Message> {
    let folder = package("refusals", "signature");
    fs::write(folder.join("src/lib.rs"), "").unwrap();
    let examples = folder.join("examples");
    // What an earlier run left behind must not be checked again.
    let _ = fs::remove_dir_all(&examples);
    fs::create_dir_all(&examples).unwrap();
    for (name, program) in programs {
        fs::write(examples.join(format!("{name}.rs")), program).unwrap();
    }
    let output = cargo_in(&folder, &["check", "--examples", "--keep-going", "--message-format=json"]);
    let lines = String::from_utf8(output.stdout).unwrap();
    let mut checked = BTreeSet::new();
    let mut messages = Vec::new();
    for line in lines.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let program = line["target"]["name"].as_str().unwrap_or_default().to_owned();
        checked.insert(program.clone());
        let message = &line["message"];
        if line["reason"] != "compiler-message" || message["level"] != "error" || message["code"].is_null() {
            continue;
        }
        let primary =
            message["spans"].as_array().unwrap().iter().find(|span| span["is_primary"] == true).unwrap();
        // The label says what the title leaves out.
        let labels: Vec<_> = message["children"]
            .as_array()
            .unwrap()
            .iter()
            .chain(message["spans"].as_array().unwrap())
            .map(|part| part["message"].as_str().or(part["label"].as_str()).unwrap_or_default())
            .collect();
        messages.push(Message {
            program,
            code: message["code"]["code"].as_str().unwrap().to_owned(),
            // Whether the compiler writes the crate's name before a type depends on what else is in scope.
            text: format!("{} {}", message["message"].as_str().unwrap(), labels.join(" "))
                .replace("idaas_login::", ""),
            line: primary["line_start"].as_u64().unwrap(),
        });
    }
    for name in programs.keys() {
        let why = String::from_utf8_lossy(&output.stderr);
        assert!(checked.contains(name), "cargo did not check {name}:\n{why}");
    }
    messages
}

/// A program with a function for each pair; the pair of each line.
fn pairs(legal: bool) -> (String, BTreeMap<u64, (String, String)>) {
    let mut program = PRELUDE.to_owned();
    let mut lines = BTreeMap::new();
    for stage in stages() {
        for (step, arguments) in arguments() {
            if is_legal(&stage, step) == legal {
                lines.insert(program.lines().count() as u64 + 1, (stage.rust.clone(), step.to_owned()));
                let rust = &stage.rust;
                let arguments = arguments_at(&stage, step, arguments);
                let number = lines.len();
                writeln!(program, "pub fn f{number}(stage: {rust}, device: &Device, pass: &CaptchaPass) {{ let _ = stage.{step}({arguments}); }}")
                    .unwrap();
            }
        }
    }
    program.push_str("fn main() {}\n");
    (program, lines)
}

#[test]
fn the_compiler_refuses() {
    let arguments = arguments();
    for step in
        endpoints::ALL.iter().map(|row| row.step).chain(endpoints::NARROWINGS.iter().map(|row| row.step))
    {
        assert!(
            arguments.contains_key(step),
            "tests/compile_fail.rs: no arguments for the step `{step}`: add them"
        );
    }
    for row in endpoints::ALL {
        assert!(
            stages().iter().any(|stage| stage.kind == row.from),
            "tests/compile_fail.rs: no type for {:?}",
            row.from
        );
    }

    let (legal, legal_lines) = pairs(true);
    let (illegal, illegal_lines) = pairs(false);
    let mut programs = BTreeMap::from([("legal".to_owned(), legal), ("illegal".to_owned(), illegal)]);
    for mistake in MISTAKES {
        programs.insert(mistake.name.to_owned(), format!("{PRELUDE}{}\nfn main() {{}}\n", mistake.program));
    }
    let messages = check(&programs);
    let of = |name: &str| messages.iter().filter(|message| message.program == name).collect::<Vec<_>>();

    assert!(of("legal").is_empty(), "a legal pair does not compile: {:#?}", of("legal"));
    assert!(legal_lines.len() >= endpoints::ALL.len());

    let mut refused = BTreeSet::new();
    for message in of("illegal") {
        let (stage, step) = &illegal_lines[&message.line];
        assert_eq!(message.code, "E0599", "{stage}.{step}: {message:?}");
        assert!(
            message.text.contains(&format!("no method named `{step}` found for")),
            "{stage}.{step}: {message:?}"
        );
        assert!(refused.insert(message.line), "{stage}.{step}: refused twice");
    }
    for (line, (stage, step)) in &illegal_lines {
        assert!(refused.contains(line), "{stage}.{step} compiles, and the table does not have it");
    }

    let mut wrong = String::new();
    for mistake in MISTAKES {
        let found = of(mistake.name);
        let right =
            |message: &Message| message.code == mistake.code && message.text.contains(mistake.message);
        // One reason may bring others along; the one that is named has to be among them.
        if !found.iter().any(|message| right(message)) {
            writeln!(
                wrong,
                "{}: {} {:?} expected, got {found:#?}",
                mistake.name, mistake.code, mistake.message
            )
            .unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    println!(
        "{} legal pairs compile, {} illegal ones and {} mistakes do not",
        legal_lines.len(),
        illegal_lines.len(),
        MISTAKES.len()
    );
}

/// A program that was built without the feature `signature`.
const UNSIGNED: &str = r#"
use idaas_login::emulator::{Emulator, User};
use idaas_login::endpoints::Platform;
use idaas_login::{Client, Device, Edition, Error, Outcome, Recovery, Request};

fn main() {
    let device = || Device::new("windows10.1.1", "156aysdna213sc50", "Mozilla/5.0").unwrap();
    let builder = Client::builder("https://acme.example.com", "an-id").edition(Edition::OneAccess);
    let client = builder.build_with(|_: Request| panic!("nothing is to be sent")).unwrap();
    let failed = client.session(device(), "a-session-token").unwrap().renew_id_token().send().unwrap_err();
    let Error::Unsupported(unsupported) = failed.error() else { panic!("{failed:#}") };
    assert_eq!(unsupported.step(), "renew_id_token");
    assert!(failed.to_string().contains("unsupported") && format!("{failed:#}").contains("signature"));
    assert!(matches!(failed.into_recovery(), Recovery::Retry(_)));

    // The tenant refuses whatever signature it gets.
    let tenant = Emulator::new();
    tenant.configure(|settings| settings.edition = Edition::OneAccess);
    tenant.add_user(User::new("zhangshan"));
    tenant.bind(Platform::WeChatMiniProgram, "an-openid", "zhangshan");
    let login = tenant.client().unwrap().login(device());
    let outcome = login.wechat_mini_program(tenant.wechat_login_code("an-openid")).send().unwrap();
    assert!(matches!(outcome, Outcome::Authenticated(_)));
    let request = idaas_login::http::Request::post("https://acme.example.com/api/v2/sdk/session-token/refresh-id-token")
        .header("x-client-id", "nTo1eRIub60vPb54WeE6aojPwYwImtl4")
        .header("x-operating-sys-version", "windows10.1.1")
        .header("x-device-fingerprint", "156aysdna213sc50")
        .header("x-agent", "Mozilla/5.0")
        .header("content-type", "application/json")
        .header("x-signature", "c2lnbmVk");
    let answer = idaas_login::Transport::send(&tenant, request.body(Vec::new()).unwrap()).unwrap();
    assert!(String::from_utf8_lossy(answer.body()).contains("SDK.COMMON.1004"));
}
"#;

#[test]
fn without_the_feature_nothing_is_signed() {
    let folder = package("unsigned", "emulator");
    fs::write(folder.join("src/main.rs"), UNSIGNED).unwrap();
    let output = cargo_in(&folder, &["run", "--quiet"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
