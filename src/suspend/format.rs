//! The bytes of a suspended stage.
//!
//! A mark, a version, a kind, then fields, each a tag, a length and its bytes; tags rise, and none comes twice; at the end a
//! zero, so that a value that was cut short is not a whole one without its last fields. A reader of a newer version reads every
//! older one; `tests/corpus` keeps values of each.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zeroize::Zeroizing;

use super::kind::SuspendedKind;
use crate::context::Context;
use crate::device::Device;
use crate::secret::{IdToken, SessionToken, StateToken};
use crate::stage::RegistrationAttributes;
use crate::wire::endpoints::{OriginKind, Scenario, StageKind};

/// The first byte: other bytes rarely begin with it, so a newer version is told apart from them.
const MAGIC: u8 = 0xb5;
/// The newest version. A value has the oldest one that knows all of its fields, so that older services read what they can.
const VERSION: u8 = 3;
/// The version that brought the time at which a session expires.
const WITH_EXPIRES_AT: u8 = 2;
/// The version that brought the stages and origins beyond those of the mini programs.
const WITH_ALL_LOGINS: u8 = 3;
/// Behind the last field.
const END: u8 = 0;

/// The fields, by their tags.
mod tag {
    pub(super) const BASE_ADDRESS: u8 = 1;
    pub(super) const CLIENT_ID: u8 = 2;
    pub(super) const OPERATING_SYS_VERSION: u8 = 3;
    pub(super) const FINGERPRINT: u8 = 4;
    pub(super) const AGENT: u8 = 5;
    pub(super) const IP: u8 = 6;
    pub(super) const LANGUAGE: u8 = 7;
    pub(super) const TOKEN: u8 = 8;
    pub(super) const DATA: u8 = 9;
    pub(super) const DESTINATION: u8 = 10;
    pub(super) const EXPIRES_IN: u8 = 11;
    pub(super) const ID_TOKEN: u8 = 12;
    pub(super) const TENANT_ID: u8 = 13;
    pub(super) const EXPIRES_AT: u8 = 14;
    pub(super) const ATTRIBUTES: u8 = 15;
}

/// A stage, taken apart, borrowing from it or from the bytes.
pub struct SuspendedFields<'a> {
    pub(super) kind: SuspendedKind,
    pub(super) base_address: &'a [u8],
    pub(super) client_id: &'a [u8],
    /// Of an application that many tenants on one domain share.
    pub(super) tenant_id: Option<&'a [u8]>,
    pub(super) operating_sys_version: &'a [u8],
    pub(super) fingerprint: &'a [u8],
    pub(super) agent: &'a [u8],
    pub(super) ip: Option<&'a [u8]>,
    pub(super) language: Option<&'a [u8]>,
    pub(super) token: &'a [u8],
    pub(super) data: Option<&'a [u8]>,
    pub(super) destination: Option<&'a [u8]>,
    pub(super) expires_in: Option<Duration>,
    pub(super) expires_at: Option<SystemTime>,
    pub(super) id_token: Option<&'a [u8]>,
    /// Of a registration.
    pub(super) attributes: Option<Cow<'a, RegistrationAttributes>>,
}

/// Bytes that are no suspended stage of this version.
#[derive(Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Of a newer version.
    Newer(u8),
    /// Of none.
    Malformed,
}

impl<'a> SuspendedFields<'a> {
    /// What every stage has; its token and the rest are for the stage to add.
    pub(super) fn of(kind: SuspendedKind, context: &'a Context) -> Self {
        let (base_address, client_id, tenant_id) = context.client.identity();
        let [operating_sys_version, fingerprint, agent] = context.device.required();
        let [ip, language] = context.device.optional();
        Self {
            kind,
            base_address,
            client_id,
            tenant_id,
            operating_sys_version,
            fingerprint,
            agent,
            ip,
            language,
            token: &[],
            data: None,
            destination: None,
            expires_in: None,
            expires_at: None,
            id_token: None,
            attributes: None,
        }
    }

    pub(super) fn write(&self) -> Zeroizing<Vec<u8>> {
        let expires_in = self.expires_in.map(|time| time.as_secs().to_be_bytes());
        // Whole seconds, rounded down: a session is never thought to live longer than it does.
        let expires_at = self.expires_at.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let expires_at = expires_at.map(|time| time.as_secs().to_be_bytes());
        let version = version_of(self.kind, expires_at.is_some());
        let attributes = self.attributes.as_deref().map(write_attributes);
        let fields = [
            (tag::BASE_ADDRESS, Some(self.base_address)),
            (tag::CLIENT_ID, Some(self.client_id)),
            (tag::OPERATING_SYS_VERSION, Some(self.operating_sys_version)),
            (tag::FINGERPRINT, Some(self.fingerprint)),
            (tag::AGENT, Some(self.agent)),
            (tag::IP, self.ip),
            (tag::LANGUAGE, self.language),
            (tag::TOKEN, has_token(self.kind.stage).then_some(self.token)),
            (tag::DATA, self.data),
            (tag::DESTINATION, self.destination),
            (tag::EXPIRES_IN, expires_in.as_ref().map(<[u8; 8]>::as_slice)),
            (tag::ID_TOKEN, self.id_token),
            (tag::TENANT_ID, self.tenant_id),
            (tag::EXPIRES_AT, expires_at.as_ref().map(<[u8; 8]>::as_slice)),
            (tag::ATTRIBUTES, attributes.as_deref().map(Vec::as_slice)),
        ];
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let there = || fields.iter().filter_map(|(tag, bytes)| bytes.map(|bytes| (*tag, bytes)));
        // Exactly as large as it gets: a buffer that grows leaves copies of the token behind.
        let size = 6 + there().map(|(_, bytes)| 5 + bytes.len()).sum::<usize>();
        let mut written = Zeroizing::new(Vec::with_capacity(size));
        // What cannot be suspended has no fields, so there is always a byte.
        let stage = stage_byte(self.kind.stage).unwrap_or_default();
        written.extend([MAGIC, version, stage, origin_byte(self.kind.origin)]);
        written.push(u8::from(self.kind.unresolved));
        for (tag, bytes) in there() {
            written.push(tag);
            written.extend(length(bytes).to_be_bytes());
            written.extend_from_slice(bytes);
        }
        written.push(END);
        written
    }

    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        let Some((&[MAGIC, version], rest)) = bytes.split_first_chunk() else {
            return Err(Unreadable::Malformed);
        };
        match version {
            0 => Err(Unreadable::Malformed),
            1..=VERSION => {
                let fields = Self::read_fields(rest).ok_or(Unreadable::Malformed)?;
                let own = version_of(fields.kind, fields.expires_at.is_some());
                if version == own { Ok(fields) } else { Err(Unreadable::Malformed) }
            }
            newer => Err(Unreadable::Newer(newer)),
        }
    }

    fn read_fields(bytes: &'a [u8]) -> Option<Self> {
        let (&[stage, origin, unresolved], mut rest) = bytes.split_first_chunk()?;
        let origin = if origin == origin_byte(None) { None } else { Some(origin_of(origin)?) };
        let kind = SuspendedKind { stage: stage_of(stage)?, origin, unresolved: flag(unresolved)? };
        let mut fields: [Option<&[u8]>; 16] = [None; 16];
        let mut last = 0;
        while let Some((&[tag, a, b, c, d], after)) = rest.split_first_chunk() {
            let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
            let (value, after) = after.split_at_checked(length)?;
            if tag <= last {
                return None;
            }
            *fields.get_mut(usize::from(tag))? = Some(value);
            (last, rest) = (tag, after);
        }
        if rest != [END] {
            return None;
        }
        let field = |tag: u8| fields.get(usize::from(tag)).copied().flatten();
        // A field that the stage does not have would be lost when it is suspended again.
        let is_narrowed = matches!(kind.stage, StageKind::VerifyPhone(_) | StageKind::VerifyEmail(_));
        let is_finished = kind.stage == StageKind::Authenticated;
        let is_registration = kind.stage.before_narrowing() == StageKind::Registration;
        let has = |tag| field(tag).is_some();
        if has(tag::DESTINATION) && !is_narrowed
            || has(tag::TOKEN) != has_token(kind.stage)
            || has(tag::ATTRIBUTES) != is_registration
            || has(tag::DATA) && !kind.stage.holds_state_token()
            || (has(tag::EXPIRES_IN) || has(tag::EXPIRES_AT) || has(tag::ID_TOKEN)) && !is_finished
        {
            return None;
        }
        let seconds = |tag| match field(tag) {
            None => Some(None),
            Some(bytes) => Some(Some(Duration::from_secs(u64::from_be_bytes(bytes.try_into().ok()?)))),
        };
        let expires_in = seconds(tag::EXPIRES_IN)?;
        let expires_at = match seconds(tag::EXPIRES_AT)? {
            None => None,
            Some(since) => Some(UNIX_EPOCH.checked_add(since)?),
        };
        Some(Self {
            kind,
            base_address: field(tag::BASE_ADDRESS)?,
            client_id: field(tag::CLIENT_ID)?,
            tenant_id: field(tag::TENANT_ID),
            operating_sys_version: field(tag::OPERATING_SYS_VERSION)?,
            fingerprint: field(tag::FINGERPRINT)?,
            agent: field(tag::AGENT)?,
            ip: field(tag::IP),
            language: field(tag::LANGUAGE),
            token: field(tag::TOKEN).unwrap_or_default(),
            data: field(tag::DATA),
            destination: field(tag::DESTINATION),
            expires_in,
            expires_at,
            id_token: field(tag::ID_TOKEN),
            attributes: match field(tag::ATTRIBUTES) {
                None => None,
                Some(bytes) => Some(Cow::Owned(read_attributes(bytes)?)),
            },
        })
    }

    pub(super) fn device(&self) -> Option<Device> {
        let text = |bytes| std::str::from_utf8(bytes).ok();
        let device =
            Device::new(text(self.operating_sys_version)?, text(self.fingerprint)?, text(self.agent)?)
                .ok()?;
        let device = match self.ip {
            None => device,
            Some(ip) => device.with_ip(text(ip)?.parse::<IpAddr>().ok()?),
        };
        match self.language {
            None => Some(device),
            Some(language) => device.with_language(text(language)?).ok(),
        }
    }

    pub(super) fn state_token(&self) -> Result<StateToken, Unreadable> {
        text(self.token).map(StateToken::new)
    }

    pub(super) fn session_token(&self) -> Result<SessionToken, Unreadable> {
        text(self.token).map(SessionToken::new)
    }

    pub(super) fn id_token(&self) -> Result<Option<IdToken>, Unreadable> {
        Ok(self.id_token.map(text).transpose()?.map(IdToken::new))
    }

    /// The text of `data`.
    pub(super) fn data_text(&self) -> Result<Option<Zeroizing<String>>, Unreadable> {
        let data = self.data.map(text).transpose()?;
        Ok(data.map(|data| Zeroizing::new(data.to_owned())))
    }

    pub(super) fn attributes(&self) -> Result<RegistrationAttributes, Unreadable> {
        self.attributes.as_deref().cloned().ok_or(Unreadable::Malformed)
    }

    pub(super) fn destination(&self) -> Result<Zeroizing<String>, Unreadable> {
        let destination = self.destination.ok_or(Unreadable::Malformed).and_then(text)?;
        Ok(Zeroizing::new(destination.to_owned()))
    }
}

/// The oldest version that knows all of a value.
fn version_of(kind: SuspendedKind, has_expires_at: bool) -> u8 {
    /// The last bytes that the older versions knew.
    const LAST_STAGE: u8 = 10;
    const LAST_ORIGIN: u8 = 2;
    let is_newer = stage_byte(kind.stage) > Some(LAST_STAGE) || origin_byte(kind.origin) > LAST_ORIGIN;
    match (is_newer, has_expires_at) {
        (true, _) => WITH_ALL_LOGINS,
        (false, true) => WITH_EXPIRES_AT,
        (false, false) => 1,
    }
}

/// Whether a stage holds a state token or a session token.
fn has_token(stage: StageKind) -> bool {
    stage.holds_state_token() || stage == StageKind::Authenticated
}

/// Names and values, each behind its length.
fn write_attributes(attributes: &RegistrationAttributes) -> Zeroizing<Vec<u8>> {
    let texts = || attributes.entries().flat_map(|(name, value)| [name, value]);
    let size = texts().map(|text| 4 + text.len()).sum();
    let mut written = Zeroizing::new(Vec::with_capacity(size));
    for text in texts() {
        written.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
        written.extend_from_slice(text.as_bytes());
    }
    written
}

fn read_attributes(mut bytes: &[u8]) -> Option<RegistrationAttributes> {
    let mut next = || {
        let (length, rest) = bytes.split_first_chunk()?;
        let (text, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        bytes = rest;
        std::str::from_utf8(text).ok()
    };
    let mut entries = Vec::new();
    while let Some(name) = next() {
        entries.push((name, next()?));
    }
    if !bytes.is_empty() {
        return None;
    }
    RegistrationAttributes::from_entries(entries.into_iter())
}

fn text(bytes: &[u8]) -> Result<&str, Unreadable> {
    std::str::from_utf8(bytes).map_err(|_| Unreadable::Malformed)
}

fn flag(byte: u8) -> Option<bool> {
    match byte {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// The byte of a stage. A byte once given is never given to another. `None`: the stage cannot be suspended.
const fn stage_byte(stage: StageKind) -> Option<u8> {
    match stage {
        StageKind::Client | StageKind::Captcha | StageKind::Unauthenticated => None,
        StageKind::PendingBind => Some(1),
        StageKind::PendingRegister => Some(2),
        StageKind::MfaRequired => Some(3),
        StageKind::VerifyPhone(Scenario::Bind) => Some(4),
        StageKind::VerifyEmail(Scenario::Bind) => Some(5),
        StageKind::VerifyPhone(Scenario::BindOrRegister) => Some(6),
        StageKind::VerifyEmail(Scenario::BindOrRegister) => Some(7),
        StageKind::VerifyPhone(Scenario::SecondFactor) => Some(8),
        StageKind::VerifyEmail(Scenario::SecondFactor) => Some(9),
        StageKind::Authenticated => Some(10),
        StageKind::PasswordExpiring => Some(11),
        StageKind::PasswordExpired => Some(12),
        StageKind::VerifyPhone(Scenario::ChangePassword) => Some(13),
        StageKind::VerifyEmail(Scenario::ChangePassword) => Some(14),
        StageKind::VerifyPhone(Scenario::Login) => Some(15),
        StageKind::VerifyEmail(Scenario::Login) => Some(16),
        StageKind::Registration => Some(17),
        StageKind::VerifyPhone(Scenario::Register) => Some(18),
        StageKind::VerifyEmail(Scenario::Register) => Some(19),
        StageKind::PasswordReset => Some(20),
        StageKind::VerifyPhone(Scenario::ResetPassword) => Some(21),
        StageKind::VerifyEmail(Scenario::ResetPassword) => Some(22),
    }
}

fn stage_of(byte: u8) -> Option<StageKind> {
    StageKind::all().find(|stage| stage_byte(*stage) == Some(byte))
}

/// The byte of an origin. A byte once given is never given to another.
const fn origin_byte(origin: Option<OriginKind>) -> u8 {
    match origin {
        None => 0,
        Some(OriginKind::WeChatMiniProgram) => 1,
        Some(OriginKind::AlipayMiniProgram) => 2,
        Some(OriginKind::SocialApp) => 3,
        Some(OriginKind::Account) => 4,
    }
}

fn origin_of(byte: u8) -> Option<OriginKind> {
    OriginKind::ALL.iter().copied().find(|origin| origin_byte(Some(*origin)) == byte)
}
