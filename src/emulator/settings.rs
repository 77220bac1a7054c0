//! How the tenant is set up.

use std::time::Duration;

use crate::client::{Edition, WechatCodeField};
use crate::endpoints::Endpoint;

/// How the tenant is set up; see [`Emulator::configure`](super::Emulator::configure).
#[derive(Clone, Debug)]
#[non_exhaustive]
#[allow(clippy::struct_excessive_bools)] // They are independent switches.
pub struct Settings {
    /// The application's id, which every request must carry. Defaults to the pages' example.
    pub client_id: String,
    /// The edition. Defaults to [`Edition::Ciam`].
    pub edition: Edition,
    /// The name of the field for the phone-number code of WeChat. Defaults to `wechat_code`.
    pub wechat_code_field: WechatCodeField,
    /// A path in front of all paths, as behind a gateway; none by default.
    pub path_prefix: String,
    /// The paths of single steps, where this tenant differs from its edition's documents; none by default.
    pub paths: Vec<(&'static Endpoint, String)>,
    /// The send types of single steps, where this tenant differs from its edition's documents; none by default.
    pub send_types: Vec<(&'static Endpoint, String)>,
    /// The fields of single steps that this tenant spells differently, each with its spelling; none by default.
    pub field_names: Vec<(&'static Endpoint, String, String)>,
    /// What an identity gets that no account has bound. Defaults to [`Unbound::Bind`].
    pub unbound: Unbound,
    /// What `data` says of the allowed ways. Defaults to both documented ways.
    pub data: DataForm,
    /// Whether a second factor, or another stage after a bind, comes with a state token of its own (`true`), or goes on
    /// with the one in hand. Defaults to `true`; the pages are silent.
    pub new_state_token: bool,
    /// The fewest and the most characters of a password that is changed, reset or registered. Defaults to 8 and 18, as in the
    /// pages' example.
    pub password_length: (usize, usize),
    /// Whether a password that expires is asked for after each login and bind (`true`), or only after those by password.
    /// Defaults to `false`.
    pub password_asked_everywhere: bool,
    /// Whether an account that owes both gives the second factor first (`true`) or changes its password first. Defaults to
    /// `true`; the pages are silent.
    pub second_factor_first: bool,
    /// Whether a login by code registers an unknown number or address. Defaults to `false`.
    pub register_at_login: bool,
    /// The attributes that a registration must have, by their names on the wire. Defaults to none.
    pub required_attributes: Vec<String>,
    /// Whether successes carry an `id_token`. Defaults to `true`.
    pub id_token: bool,
    /// How long an `id_token` lives. Defaults to 5 minutes, as in the pages.
    pub id_token_lifetime: Duration,
    /// Where in an `id_token` the user's data are. Defaults to [`ClaimsLayout::Flat`].
    pub claims_layout: ClaimsLayout,
    /// Whether `id_token`s are signed by the key before the one in use, as soon as there is one. Defaults to `false`.
    pub sign_with_previous_key: bool,
    /// How many of the keys before the one in use are published with it. Defaults to none.
    pub published_previous_keys: usize,
    /// The response in place of the key set. Defaults to `None`.
    pub broken_key_set: Option<String>,
    /// Whether the session token is replaced when an `id_token` is renewed. Defaults to `false`.
    pub refresh_sessions: bool,
    /// Whether responses have the leading spaces that the pages print. Defaults to `false`.
    pub printed_spaces: bool,
    /// How long a state token lives. Defaults to 10 minutes.
    pub state_token_lifetime: Duration,
    /// How long a code lives, of a platform or by SMS or e-mail. Defaults to 5 minutes.
    pub code_lifetime: Duration,
    /// How many pixels a captcha's solution may be off. Defaults to 5.
    pub captcha_tolerance: u32,
    /// Whether the pass of a captcha is good for one code only. Defaults to `false`; the pages are silent.
    pub single_use_pass: bool,
    /// How many wrong passwords in a row lock an account, and how many wrong codes a destination. Defaults to 5.
    ///
    /// Passwords are counted for the account, whichever login and step they are given in.
    pub max_attempts: u32,
    /// How long a lock holds. Defaults to 10 minutes.
    pub lock_time: Duration,
    /// Whether a wrong code or password ends the state token, too. The pages are silent ([decision](crate::manual::decisions)
    /// D14). Defaults to `false`.
    pub state_token_ends_with_wrong_code: bool,
    /// Whether every response has fields and values that no page documents, and those that document no `status` an unknown
    /// one. A client must ignore them. Defaults to `false`.
    pub undocumented_extras: bool,
    /// How long a session lives. Defaults to 432000 seconds.
    pub session_lifetime: Duration,
    /// How far the time in a signature may be from the tenant's. Defaults to 5 minutes; the pages are silent.
    ///
    /// Signatures are read with the feature `signature`, and refused without it.
    pub signature_window: Duration,
    /// Whether what a real tenant might refuse is refused, as a wrong format: a charset other than UTF-8, a field or a token that
    /// the request does not have, white space around a value, nonsense in a header. [`Entry::objections`](super::Entry::objections)
    /// names what it was, also where the request is refused for another reason. Defaults to `false`.
    pub strict: bool,
    /// Whether the ledger keeps the requests: [`Entry::request`](super::Entry::request). Defaults to `false`.
    pub keep_requests: bool,
    /// How many entries the ledger keeps at the least; at twice as many it forgets the oldest. Defaults to no limit.
    pub ledger_entries: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            client_id: "nTo1eRIub60vPb54WeE6aojPwYwImtl4".to_owned(),
            edition: Edition::default(),
            wechat_code_field: WechatCodeField::default(),
            path_prefix: String::new(),
            paths: Vec::new(),
            send_types: Vec::new(),
            field_names: Vec::new(),
            unbound: Unbound::Bind,
            data: DataForm::Listed(vec!["VERIFY_PHONE".to_owned(), "VERIFY_EMAIL".to_owned()]),
            new_state_token: true,
            password_length: (8, 18),
            password_asked_everywhere: false,
            second_factor_first: true,
            register_at_login: false,
            required_attributes: Vec::new(),
            id_token: true,
            id_token_lifetime: Duration::from_secs(5 * 60),
            claims_layout: ClaimsLayout::Flat,
            sign_with_previous_key: false,
            published_previous_keys: 0,
            broken_key_set: None,
            refresh_sessions: false,
            printed_spaces: false,
            state_token_lifetime: Duration::from_secs(10 * 60),
            code_lifetime: Duration::from_secs(5 * 60),
            captcha_tolerance: 5,
            single_use_pass: false,
            max_attempts: 5,
            lock_time: Duration::from_secs(10 * 60),
            state_token_ends_with_wrong_code: false,
            undocumented_extras: false,
            session_lifetime: Duration::from_secs(432_000),
            signature_window: Duration::from_secs(5 * 60),
            strict: false,
            keep_requests: false,
            ledger_entries: usize::MAX,
        }
    }
}

/// What an identity gets that no account has bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unbound {
    /// `SOCIAL_BIND`: an existing account must be bound.
    Bind,
    /// `USER_REGISTER`: an account is bound, or registered if there is none.
    Register,
}

/// The forms of `data` that the pages print.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataForm {
    /// JSON text in a string, with these values in `socialBindOrRegisterFlow`.
    Listed(Vec<String>),
    /// `null`
    Null,
    /// No such field.
    Absent,
}

/// The two layouts of an `id_token` that the pages show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimsLayout {
    /// The user's data are claims of their own.
    Flat,
    /// They are JSON text in the claim `api`.
    Api,
}
