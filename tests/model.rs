//! Random walks over the client and the emulator, with requests and answers that go wrong.
//!
//! After every step the stage in hand is what the tenant says, or the caller was told that nobody knows. Whatever happened,
//! each login can be driven on to a session afterwards. What the tenant has to do with a step is told a second time in
//! `model/reference.rs`, which client and emulator are held against.
//!
//! `cargo test --test model` takes the same walks each time; `WALKS=100000 cargo test --release --test model` takes as many
//! as it says, `SEED` others. With `-- --nocapture` it tells how often it came where.

#[path = "model/held.rs"]
mod held;
#[path = "model/line.rs"]
mod line;
#[path = "model/reference.rs"]
mod reference;
#[path = "model/world.rs"]
mod world;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use idaas_login::emulator::Unbound;
use idaas_login::endpoints::{self, EditionKind, Endpoint, Scenario, StageKind};
use idaas_login::{Account, AlipayMiniProgram, Origin, SocialApp, WeChatMiniProgram};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use self::line::{Canned, Fault};
use self::reference::{CODE_LIFETIME, Data, SESSION_LIFETIME, STATE_TOKEN_LIFETIME};
use self::world::{Login, Seen, Turn, USERS, World, at};

/// What one can do at any time. What the stage in hand does not offer does nothing.
#[derive(Clone, Copy, Debug)]
struct Action {
    /// Six logins are under way: two through WeChat, one through Alipay, one through another app, two with an account.
    login: usize,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// The step that the stage offers.
    Step(Turn),
    /// The side calls that the stage offers; the fault happens to the one that `at` says.
    Call { input: Input, at: usize, fault: Option<Fault> },
    /// `Verify::back`
    Back,
    /// Puts the stage down and picks it up.
    Suspend,
    /// The same, and picks it up twice: the other login of the same origin goes on with the same token.
    Fork,
    /// Drops the stage.
    Drop,
    /// Gives up what was reached.
    StartOver,
    /// The session ends at the tenant.
    EndSession,
    /// Time passes.
    Wait(Wait, Clocks),
    /// The tenant's settings change.
    Change(Change),
    /// An account is denied from now on, or no more, and its password is as old as at first.
    Administer { who: usize, denied: bool },
}

/// What is given as code, password or number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Right,
    Wrong,
    /// Right once, but used, perhaps.
    Reused,
    /// Right once, but too old; a password with a space behind it.
    Late,
    /// Of somebody or something else.
    Other,
    Empty,
}

#[derive(Clone, Copy, Debug)]
enum Wait {
    AMinute,
    /// Longer than a code lives and a lock holds.
    ForCodes,
    /// Longer than a state token lives.
    ForStateTokens,
    /// Longer than a session lives.
    ForSessions,
}

impl Wait {
    fn time(self) -> Duration {
        let instant = Duration::from_secs(1);
        match self {
            Self::AMinute => Duration::from_secs(60),
            Self::ForCodes => CODE_LIFETIME + instant,
            Self::ForStateTokens => STATE_TOKEN_LIFETIME + instant,
            Self::ForSessions => SESSION_LIFETIME + instant,
        }
    }
}

/// Whose clock goes on.
#[derive(Clone, Copy, Debug)]
enum Clocks {
    Together,
    /// As if the client's had stood still.
    TenantAlone,
    /// As if it had jumped ahead that the client signs by.
    SignerAlone,
}

#[derive(Clone, Copy, Debug)]
enum Change {
    NewStateToken(bool),
    Unbound(Unbound),
    Data(Data),
    MaxAttempts(u32),
    RefreshSessions(bool),
    SingleUsePass(bool),
    PrintedSpaces(bool),
    SecondFactorFirst(bool),
    PasswordAskedEverywhere(bool),
    RegisterAtLogin(bool),
    AttributeRequired(bool),
    WrongEndsToken(bool),
    UndocumentedExtras(bool),
}

/// The tenant of a walk.
#[derive(Clone, Debug)]
struct Start {
    edition: EditionKind,
    /// Whether the identities of the users are bound already.
    bound: bool,
    /// Who is denied from the beginning, if that is a user.
    denied: usize,
    settings: Vec<Change>,
}

/// Takes an action of one login, beside another one of the same origin.
fn act<O: Origin>(world: &mut World<'_>, this: &mut Login<O>, other: Option<&mut Login<O>>, what: What) {
    let fork = other.filter(|_| matches!(what, What::Fork));
    let Some(other) = fork else { return world.act(this, what) };
    if let Some(suspended) = world.suspend(this) {
        other.held = world.resume(suspended);
        other.facts = this.facts.clone();
    }
}

/// Takes the walk, and drives all logins home.
fn walk(start: &Start, actions: &[Action], seen: &RefCell<Seen>) {
    let mut world = World::new(start.edition, start.bound, seen);
    start.settings.iter().for_each(|change| world.change_setting(*change));
    if start.denied < USERS.len() {
        world.administer(start.denied, true);
    }
    let [mut wechat, mut other_wechat] = [world.login::<WeChatMiniProgram>(), world.login()];
    let [mut account, mut other_account] = [world.login::<Account>(), world.login()];
    let (mut alipay, mut app) = (world.login::<AlipayMiniProgram>(), world.login::<SocialApp>());
    // One edition alone has this mini program.
    let has_alipay = world.model.supports(&endpoints::LOGIN_ALIPAY_MINI_PROGRAM);
    for action in actions {
        world.count(|seen| seen.actions += 1);
        match action.login {
            0 => act(&mut world, &mut wechat, Some(&mut other_wechat), action.what),
            1 => act(&mut world, &mut other_wechat, Some(&mut wechat), action.what),
            2 if has_alipay => act(&mut world, &mut alipay, None, action.what),
            2 | 3 => act(&mut world, &mut app, None, action.what),
            4 => act(&mut world, &mut account, Some(&mut other_account), action.what),
            _ => act(&mut world, &mut other_account, Some(&mut account), action.what),
        }
        world.check(&wechat);
        world.check(&other_wechat);
        world.check(&alipay);
        world.check(&app);
        world.check(&account);
        world.check(&other_account);
        world.check_passwords();
    }
    world.count(|seen| seen.walks += 1);
    world.counting = false;
    (0..USERS.len()).for_each(|who| world.administer(who, false));
    // What has to be: a way to go by.
    world.change_setting(Change::Data(Data::Both));
    let anyway = actions.len();
    world.go_home(&mut wechat, 0, anyway);
    world.go_home(&mut other_wechat, 1, anyway + 1);
    world.go_home(&mut app, 3, anyway + 1);
    world.go_home(&mut account, 5, anyway);
    world.go_home(&mut other_account, 6, anyway + 1);
    if has_alipay {
        world.go_home(&mut alipay, 2, anyway);
    }
    // Signatures are slow to read.
    if anyway.is_multiple_of(4) {
        world.log_out(&mut account);
    }
    world.check_binds();
    world.check_passwords();
}

// The walks.

// One number decides what happens: a choice between strategies costs a generator of random numbers for each of them.

const INPUTS: [Input; 26] = {
    let mut inputs = [Input::Right; 26];
    (inputs[0], inputs[1]) = (Input::Wrong, Input::Wrong);
    (inputs[2], inputs[3], inputs[4], inputs[5]) = (Input::Reused, Input::Late, Input::Other, Input::Empty);
    inputs
};

/// For a code that costs a captcha, which is slow to draw.
const CALL_INPUTS: [Input; 10] = [
    Input::Right,
    Input::Right,
    Input::Right,
    Input::Reused,
    Input::Other,
    Input::Other,
    Input::Other,
    Input::Wrong,
    Input::Late,
    Input::Empty,
];

const WAITS: [Wait; 4] = [Wait::AMinute, Wait::ForCodes, Wait::ForStateTokens, Wait::ForSessions];

const CLOCKS: [Clocks; 6] = [
    Clocks::Together,
    Clocks::Together,
    Clocks::TenantAlone,
    Clocks::TenantAlone,
    Clocks::SignerAlone,
    Clocks::SignerAlone,
];

const DATA: [Data; 6] = [Data::Both, Data::Phone, Data::Email, Data::Neither, Data::Null, Data::Absent];

fn fault() -> impl Strategy<Value = Option<Fault>> {
    (0..40_usize, 0..100_usize).prop_map(|(kind, detail)| {
        let unclear = Canned::UNCLEAR[detail % Canned::UNCLEAR.len()];
        Some(match kind {
            0 => Fault::NotSent,
            1 => Fault::LoseRequest,
            2 => Fault::LoseResponse,
            3 => Fault::Panic,
            4 => Fault::PanicAfter,
            // Nothing at all is a whole response to some requests.
            5 => Fault::CutOff(detail.max(1)),
            6 if detail < 50 => Fault::Respond(Canned::CLEAR[detail % Canned::CLEAR.len()]),
            6 => Fault::Respond(unclear),
            // The word of whoever says that nothing was carried out is taken: that he lies is out of scope.
            7 => Fault::RespondAfter(unclear),
            _ => return None,
        })
    })
}

fn change() -> impl Strategy<Value = Change> {
    (0..17_u32, 0..12_usize).prop_map(|(kind, detail)| {
        let on = detail % 2 == 1;
        match kind {
            0 => Change::NewStateToken(on),
            1 => Change::Unbound(if on { Unbound::Register } else { Unbound::Bind }),
            2 => Change::Data(DATA[detail % DATA.len()]),
            3 => Change::MaxAttempts(1 + u32::from(on) + u32::try_from(detail % 4).unwrap()),
            4 => Change::RefreshSessions(on),
            5 => Change::SingleUsePass(on),
            6 => Change::PrintedSpaces(on),
            7 => Change::SecondFactorFirst(on),
            8 => Change::RegisterAtLogin(on),
            9 => Change::AttributeRequired(on),
            10 => Change::Data(Data::Both),
            11 => Change::WrongEndsToken(on),
            12 => Change::UndocumentedExtras(on),
            // Otherwise only few logins come to the password stages.
            _ => Change::PasswordAskedEverywhere(detail > 1),
        }
    })
}

fn start() -> impl Strategy<Value = Start> {
    let denied = 0..2 * USERS.len();
    (0..9_u32, 0..5_u32, denied, vec(change(), 4..20)).prop_map(|(edition, bound, denied, settings)| {
        let edition = match edition {
            0..=4 => EditionKind::Ciam,
            5..=7 => EditionKind::Eiam,
            _ => EditionKind::OneAccess,
        };
        Start { edition, bound: bound < 2, denied, settings }
    })
}

fn action() -> impl Strategy<Value = Action> {
    // The rows of an account's login are the most.
    const LOGINS: [usize; 17] = [0, 0, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5];
    // Those whose passwords are old come to the most stages.
    const WHO: [usize; 18] = [0, 1, 2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 6, 6, 6, 7, 8, 9];
    let turn = (0..24_usize, 0..WHO.len(), 0..INPUTS.len(), fault());
    (0..LOGINS.len(), 0..64_usize, turn, change()).prop_map(|(login, kind, turn, change)| {
        let (way, who, input, fault) = (turn.0, WHO[turn.1], INPUTS[turn.2], turn.3);
        let what = match kind {
            0 | 20 => What::Back,
            1 => What::Fork,
            2 => What::Drop,
            3 => What::StartOver,
            4 => What::EndSession,
            5 | 6 => What::Wait(WAITS[way % WAITS.len()], CLOCKS[way / WAITS.len()]),
            7..=9 => What::Change(change),
            10..=12 => What::Administer { who: who % USERS.len(), denied: way % 2 == 1 },
            13 => What::Suspend,
            14..=19 => What::Call { input: CALL_INPUTS[turn.2 % CALL_INPUTS.len()], at: way % 3, fault },
            _ => What::Step(Turn { way, who, input, fault }),
        };
        Action { login: LOGINS[login], what }
    })
}

/// A tenant of OneAccess, where a login is soon done.
fn signing_start() -> impl Strategy<Value = Start> {
    let (edition, denied) = (EditionKind::OneAccess, USERS.len());
    vec(change(), 0..4).prop_map(move |settings| Start { edition, bound: true, denied, settings })
}

/// What happens to sessions that take signatures, of two logins of one account.
fn signing_action() -> impl Strategy<Value = Action> {
    (0..2_usize, 0..32_usize, 0..24_usize, fault()).prop_map(|(login, kind, way, fault)| {
        let what = match kind {
            0..=3 => What::Wait(WAITS[way % WAITS.len()], CLOCKS[way / WAITS.len()]),
            4 | 5 => What::Fork,
            6 => What::Suspend,
            7 => What::EndSession,
            8..=13 => What::Call { input: Input::Right, at: way % 2, fault },
            _ => What::Step(Turn { way, who: 0, input: Input::Right, fault }),
        };
        Action { login, what }
    })
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is not a number")))
}

#[test]
fn whatever_goes_wrong_the_stage_in_hand_is_the_tenants_or_told_to_be_unknown() {
    let walks = number("WALKS").unwrap_or(WALKS);
    let chosen = number("SEED").unwrap_or(1);
    let seen = RefCell::new(Seen::default());
    take(walks, chosen, &seen, (start(), vec(action(), 1..100)));
    // Few of those come to a session that takes a signature.
    take(walks / 14, chosen, &seen, (signing_start(), vec(signing_action(), 1..60)));
    let seen = seen.into_inner();
    seen.tell(chosen);
    // Few walks with another seed need not come everywhere.
    if walks >= if chosen == 1 { WALKS } else { 10 * WALKS } {
        seen.assert_everything_was_reached();
    }
}

/// Takes random walks.
fn take(walks: u64, chosen: u64, seen: &RefCell<Seen>, of: impl Strategy<Value = (Start, Vec<Action>)>) {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&chosen.to_le_bytes());
    let config = Config {
        cases: walks.try_into().unwrap(),
        failure_persistence: None,
        max_shrink_iters: 1000,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let result = runner.run(&of, |(start, actions)| {
        walk(&start, &actions, seen);
        Ok(())
    });
    if let Err(TestError::Fail(reason, (start, actions))) = result {
        let actions: Vec<_> = actions.iter().map(|action| format!("    {action:?},\n")).collect();
        let actions = actions.concat();
        panic!("seed {chosen}: {reason}\n{start:?}, &[\n{actions}]");
    }
    result.unwrap();
}

const WALKS: u64 = 700;

/// A login with what is right, and nothing that goes wrong: the stages that it came by.
fn straight<O: Origin>(world: &mut World<'_>, ways: &[usize], who: usize) -> Vec<StageKind> {
    let mut login = world.login::<O>();
    for way in ways {
        world.step(&mut login, Turn { way: *way, who, input: Input::Right, fault: None });
        world.suspend(&mut login);
    }
    login.facts.trail
}

/// The second factor and the new password in both orders, after a bind and after a password, with a state token for each stage
/// and with one for all of them.
#[test]
fn second_factor_and_new_password_come_in_the_tenants_order() {
    use StageKind::{Authenticated, MfaRequired, PasswordExpired, PasswordExpiring, PendingBind};
    const NEW_PASSWORD: [usize; 1] = [0];
    let seen = RefCell::new(Seen::default());
    for (new_state_token, second_factor_first) in [(true, true), (true, false), (false, true), (false, false)]
    {
        for (who, password) in [(5, PasswordExpiring), (6, PasswordExpired)] {
            for edition in [EditionKind::Ciam, EditionKind::Eiam, EditionKind::OneAccess] {
                let mut world = World::new(edition, false, &seen);
                world.change_setting(Change::NewStateToken(new_state_token));
                world.change_setting(Change::SecondFactorFirst(second_factor_first));
                let owed =
                    if second_factor_first { [MfaRequired, password] } else { [password, MfaRequired] };
                // The stage is narrowed, and the code is submitted. OneAccess sends none by e-mail.
                let factor = if edition == EditionKind::OneAccess { [1, 1] } else { [0, 0] };
                let ways = if second_factor_first {
                    [&factor[..], &NEW_PASSWORD].concat()
                } else {
                    [&NEW_PASSWORD[..], &factor].concat()
                };
                let bind = [&[0, 0], &ways[..]].concat();
                let trail = straight::<WeChatMiniProgram>(&mut world, &bind, who);
                assert_eq!(trail, [PendingBind, owed[0], owed[1], Authenticated]);

                // Its password is old again.
                world.administer(who, false);
                let log_in = [&[0], &ways[..]].concat();
                let trail = straight::<Account>(&mut world, &log_in, who);
                assert_eq!(trail, [owed[0], owed[1], Authenticated]);
                world.check_passwords();
            }
        }
    }
}

impl Seen {
    fn tell(&self, seed: u64) {
        println!(
            "{} walks, {} actions, {} requests, seed {seed}; at most {} steps home",
            self.walks, self.actions, self.requests, self.longest_way_home
        );
        for (title, table) in
            [("steps", &self.steps), ("side calls", &self.calls), ("no requests", &self.narrowings)]
        {
            println!("{title}:");
            for ((step, came), times) in table {
                println!("  {step:50} {came:16} {times:8}");
            }
        }
        for (title, table) in [
            ("signatures", &self.signatures),
            ("put down and picked up", &self.suspended),
            ("one after the other", &self.chains),
            ("faults", &self.faults),
            ("inputs", &self.inputs),
        ] {
            println!("{title}:");
            for (what, times) in table {
                println!("  {what:67} {times:8}");
            }
        }
    }

    fn assert_everything_was_reached(&self) {
        let mut missed = Vec::new();
        let mut need = |table: &BTreeMap<(String, String), usize>, step: String, came: String| {
            if !table.contains_key(&(step.clone(), came.clone())) {
                missed.push(format!("{step}: {came}"));
            }
        };
        for row in endpoints::ALL {
            let step = at(row.from, row.step);
            if row.moves_the_flow() {
                for kind in reachable(row) {
                    need(&self.steps, step.clone(), format!("{kind:?}"));
                }
                for recovery in recoveries(row) {
                    need(&self.steps, step.clone(), (*recovery).to_owned());
                }
            } else {
                for came in ["done", "error"] {
                    need(&self.calls, step.clone(), came.to_owned());
                }
            }
        }
        for narrowing in endpoints::NARROWINGS {
            let step = at(narrowing.from, narrowing.step);
            need(&self.narrowings, step.clone(), "ok".to_owned());
            if narrowing.gated {
                need(&self.narrowings, step, "NotAllowed".to_owned());
            }
        }
        let nowhere = [StageKind::Client, StageKind::Captcha, StageKind::Unauthenticated];
        for kind in StageKind::all().filter(|kind| !nowhere.contains(kind)) {
            // A step that sends nothing cannot be unresolved, so neither can a stage that has no other.
            let sends = endpoints::ALL.iter().any(|row| row.from == kind && row.moves_the_flow());
            for unresolved in ["", "Unresolved "].into_iter().take(1 + usize::from(sends)) {
                let what = format!("{unresolved}{kind:?}");
                if !self.suspended.contains_key(&what) {
                    missed.push(format!("put down: {what}"));
                }
            }
        }
        for what in SIGNATURES {
            if !self.signatures.contains_key(what) {
                missed.push(what.to_owned());
            }
        }
        for chain in chains() {
            if !self.chains.contains_key(&chain) {
                missed.push(chain);
            }
        }
        assert!(missed.is_empty(), "never reached: {missed:#?}");
    }
}

/// What has to have come of signatures.
const SIGNATURES: [&str; 19] = [
    "renew_id_token: not prepared",
    "renew_id_token: carried out",
    "renew_id_token: carried out, and the response was lost",
    "renew_id_token: stale",
    "logout: not prepared",
    "logout: carried out",
    "logout: carried out, and the response was lost",
    "logout: stale",
    "logout: refused, because it was carried out before",
    "accepted with a time that was carried forward",
    "after a refusal key and time are forgotten",
    "after a refusal key and time are kept",
    "signatures go on from the tenant's time",
    "prepare_signature: Unsupported",
    "prepare_signature: 0 of 0 requests",
    "prepare_signature: 1 of 1 requests",
    "prepare_signature: 2 of 2 requests",
    "prepare_signature: 1 of 2 requests, the last went wrong",
    "prepare_signature: 2 of 2 requests, the last went wrong",
];

/// What an account may owe.
const OWED: [StageKind; 3] =
    [StageKind::MfaRequired, StageKind::PasswordExpiring, StageKind::PasswordExpired];

/// The stages that a step can lead to at this tenant, of those that the table names.
fn reachable(row: &Endpoint) -> Vec<StageKind> {
    let mut kinds = vec![StageKind::Authenticated];
    match row.from {
        StageKind::Authenticated if row.step == "logout" => kinds = vec![StageKind::Unauthenticated],
        StageKind::Authenticated
        | StageKind::VerifyPhone(Scenario::Register)
        | StageKind::VerifyEmail(Scenario::Register) => {}
        StageKind::VerifyPhone(Scenario::ResetPassword) | StageKind::VerifyEmail(Scenario::ResetPassword) => {
            kinds = vec![StageKind::Unauthenticated];
        }
        // A password is asked for once in a login.
        StageKind::PasswordExpiring
        | StageKind::PasswordExpired
        | StageKind::VerifyPhone(Scenario::ChangePassword)
        | StageKind::VerifyEmail(Scenario::ChangePassword) => kinds.push(StageKind::MfaRequired),
        // So is a bind.
        StageKind::Unauthenticated if by_identity(row) => {
            kinds.extend([StageKind::PendingBind, StageKind::PendingRegister]);
            kinds.extend(OWED);
        }
        _ => kinds.extend(OWED),
    }
    kinds
}

/// Whether a login begins with who the user is to a platform.
fn by_identity(row: &Endpoint) -> bool {
    row.platform.is_some() && !matches!(row.step, "wechat_mini_program_mobile" | "carrier_one_tap")
}

/// What can come of a step that does not lead on.
fn recoveries(row: &Endpoint) -> &'static [&'static str] {
    match row.from {
        // There is no token that could be dead, and nobody who could be denied.
        StageKind::VerifyPhone(Scenario::Register | Scenario::ResetPassword)
        | StageKind::VerifyEmail(Scenario::Register | Scenario::ResetPassword) => &["Retry", "Unresolved"],
        _ => &["Retry", "Unresolved", "StartOver"],
    }
}

/// What has to have come after what.
fn chains() -> Vec<String> {
    use StageKind::{MfaRequired, PasswordExpired, PasswordExpiring, PendingBind, PendingRegister};
    let binds = [PendingBind, PendingRegister].into_iter().flat_map(|bind| OWED.map(|owed| (bind, owed)));
    let factors = OWED.map(|owed| (MfaRequired, owed));
    let passwords = [PasswordExpiring, PasswordExpired].map(|password| (password, MfaRequired));
    let mut chains = Vec::new();
    for (from, to) in binds.chain(factors).chain(passwords) {
        chains
            .extend(["a new token", "the token in hand"].map(|token| format!("{from:?} -> {to:?}, {token}")));
    }
    chains
}
