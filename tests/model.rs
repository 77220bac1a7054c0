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
use self::world::{Login, PEOPLE, Seen, Turn, USERS, World, at};

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
    Wait(Wait),
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
}

/// The tenant of a walk.
#[derive(Clone, Debug)]
struct Start {
    edition: EditionKind,
    /// Whether the identities of the users are bound already.
    bound: bool,
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
    let [mut wechat, mut other_wechat] = [world.login::<WeChatMiniProgram>(), world.login()];
    let [mut account, mut other_account] = [world.login::<Account>(), world.login()];
    let (mut alipay, mut app) = (world.login::<AlipayMiniProgram>(), world.login::<SocialApp>());
    for action in actions {
        world.count(|seen| seen.actions += 1);
        match action.login {
            0 => act(&mut world, &mut wechat, Some(&mut other_wechat), action.what),
            1 => act(&mut world, &mut other_wechat, Some(&mut wechat), action.what),
            2 => act(&mut world, &mut alipay, None, action.what),
            3 => act(&mut world, &mut app, None, action.what),
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
    // One edition alone has this mini program.
    if world.model.supports(&endpoints::LOGIN_ALIPAY_MINI_PROGRAM) {
        world.go_home(&mut alipay, 2, anyway);
    }
    world.check_binds();
    world.check_passwords();
}

// The walks.

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        20 => Just(Input::Right),
        2 => Just(Input::Wrong),
        1 => Just(Input::Reused),
        1 => Just(Input::Late),
        1 => Just(Input::Other),
        1 => Just(Input::Empty),
    ]
}

fn fault() -> impl Strategy<Value = Option<Fault>> {
    let clear = prop::sample::select(&Canned::CLEAR[..]);
    let any = prop_oneof![clear, prop::sample::select(&Canned::UNCLEAR[..])];
    let fault = prop_oneof![
        Just(Fault::NotSent),
        Just(Fault::LoseRequest),
        Just(Fault::LoseAnswer),
        Just(Fault::Panic),
        Just(Fault::PanicAfter),
        (0..100_usize).prop_map(Fault::CutOff),
        any.prop_map(Fault::Answer),
        // The word of whoever says that nothing was carried out is taken: that he lies is out of scope.
        prop::sample::select(&Canned::UNCLEAR[..]).prop_map(Fault::AnswerAfter),
    ];
    prop_oneof![4 => Just(None), 1 => fault.prop_map(Some)]
}

fn unbound() -> impl Strategy<Value = Unbound> {
    prop_oneof![Just(Unbound::Bind), Just(Unbound::Register)]
}

fn change() -> impl Strategy<Value = Change> {
    let data = [Data::Both, Data::Phone, Data::Email, Data::Neither, Data::Null, Data::Absent];
    prop_oneof![
        any::<bool>().prop_map(Change::NewStateToken),
        unbound().prop_map(Change::Unbound),
        prop::sample::select(data.to_vec()).prop_map(Change::Data),
        (1..6_u32).prop_map(Change::MaxAttempts),
        any::<bool>().prop_map(Change::RefreshSessions),
        any::<bool>().prop_map(Change::SingleUsePass),
        any::<bool>().prop_map(Change::PrintedSpaces),
        any::<bool>().prop_map(Change::SecondFactorFirst),
        any::<bool>().prop_map(Change::PasswordAskedEverywhere),
        any::<bool>().prop_map(Change::RegisterAtLogin),
        any::<bool>().prop_map(Change::AttributeRequired),
    ]
}

fn start() -> impl Strategy<Value = Start> {
    let edition = prop_oneof![
        5 => Just(EditionKind::Ciam),
        3 => Just(EditionKind::Eiam),
        1 => Just(EditionKind::OneAccess),
    ];
    (edition, any::<bool>(), vec(change(), 0..16)).prop_map(|(edition, bound, settings)| Start {
        edition,
        bound,
        settings,
    })
}

fn what() -> impl Strategy<Value = What> {
    let wait = [Wait::AMinute, Wait::ForCodes, Wait::ForStateTokens, Wait::ForSessions];
    prop_oneof![
        44 => (0..24_usize, 0..PEOPLE, input(), fault())
            .prop_map(|(way, who, input, fault)| What::Step(Turn { way, who, input, fault })),
        3 => (input(), 0..3_usize, fault()).prop_map(|(input, at, fault)| What::Call { input, at, fault }),
        1 => Just(What::Back),
        4 => Just(What::Suspend),
        1 => Just(What::Fork),
        1 => Just(What::Drop),
        1 => Just(What::StartOver),
        1 => Just(What::EndSession),
        2 => prop::sample::select(wait.to_vec()).prop_map(What::Wait),
        3 => change().prop_map(What::Change),
        2 => (0..USERS.len(), any::<bool>()).prop_map(|(who, denied)| What::Administer { who, denied }),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    // The rows of an account's login are the most.
    let login = prop_oneof![3 => 0..2_usize, 2 => Just(2_usize), 3 => Just(3_usize), 5 => 4..6_usize];
    (login, what()).prop_map(|(login, what)| Action { login, what })
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is not a number")))
}

#[test]
fn whatever_goes_wrong_the_stage_in_hand_is_the_tenants_or_told_to_be_unknown() {
    let walks = number("WALKS").unwrap_or(WALKS);
    let chosen = number("SEED").unwrap_or(1);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&chosen.to_le_bytes());
    let config = Config {
        cases: walks.try_into().unwrap(),
        failure_persistence: None,
        max_shrink_iters: 1000,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let seen = RefCell::new(Seen::default());
    let result = runner.run(&(start(), vec(action(), 1..80)), |(start, actions)| {
        walk(&start, &actions, &seen);
        Ok(())
    });
    if let Err(TestError::Fail(reason, (start, actions))) = result {
        let actions: Vec<_> = actions.iter().map(|action| format!("    {action:?},\n")).collect();
        let actions = actions.concat();
        panic!("seed {chosen}: {reason}\n{start:?}, &[\n{actions}]");
    }
    result.unwrap();
    let seen = seen.into_inner();
    seen.tell(chosen);
    // Few walks with another seed need not come everywhere.
    if walks >= if chosen == 1 { WALKS } else { 10 * WALKS } {
        seen.assert_everything_was_reached();
    }
}

const WALKS: u64 = 400;

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
        for chain in chains() {
            if !self.chains.contains_key(&chain) {
                missed.push(chain);
            }
        }
        assert!(missed.is_empty(), "never reached: {missed:#?}");
    }
}

/// What an account may owe.
const OWED: [StageKind; 3] =
    [StageKind::MfaRequired, StageKind::PasswordExpiring, StageKind::PasswordExpired];

/// The stages that a step can lead to at this tenant, of those that the table names.
fn reachable(row: &Endpoint) -> Vec<StageKind> {
    let mut kinds = vec![StageKind::Authenticated];
    match row.from {
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
    use StageKind::{
        Authenticated, MfaRequired, PasswordExpired, PasswordExpiring, PendingBind, PendingRegister,
    };
    let binds = [PendingBind, PendingRegister].into_iter().flat_map(|bind| OWED.map(|owed| (bind, owed)));
    let factors = OWED.map(|owed| (MfaRequired, owed));
    let passwords = [PasswordExpiring, PasswordExpired].map(|password| (password, MfaRequired));
    let mut chains = Vec::new();
    for (from, to) in binds.chain(factors).chain(passwords) {
        chains
            .extend(["a new token", "the token in hand"].map(|token| format!("{from:?} -> {to:?}, {token}")));
    }
    // Bind, second factor, password; and the other order.
    for owed in [[MfaRequired, PasswordExpired], [PasswordExpired, MfaRequired]] {
        let [first, second] = owed;
        chains.push(format!("{PendingBind:?} > {first:?} > {second:?} > {Authenticated:?}"));
    }
    chains
}
