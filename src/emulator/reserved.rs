//! Mobile numbers and verification codes whose outcome is fixed, for tests of a service that cannot reach into the emulator.
//!
//! No telephone has such a number. They work in each edition and in each scenario, and count towards no lock.

use crate::wire::listed::listed;

listed! {
    /// What is reserved.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    ReservedKind {
        /// A mobile number, with or without `+86-`: for each code that is requested for it or submitted with it.
        Mobile,
        /// A verification code, for each destination that it is submitted with.
        VerifyCode,
    }
}

listed! {
    /// What comes of it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    FixedOutcome {
        /// The verification code is refused as wrong.
        Wrong,
        /// It is refused because of too many attempts. The message has the time left:
        /// [`Settings::lock_time`](super::Settings::lock_time).
        Locked,
        /// No code can be sent.
        SendingFailed,
        /// It is carried out, and the connection is lost before the response.
        Lost,
    }
}

/// A value whose outcome is fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reserved {
    /// What it is.
    pub kind: ReservedKind,
    /// The value.
    pub value: &'static str,
    /// What comes of it.
    pub outcome: FixedOutcome,
    /// The same in words.
    pub meaning: &'static str,
}

const fn mobile(value: &'static str, outcome: FixedOutcome, meaning: &'static str) -> Reserved {
    Reserved { kind: ReservedKind::Mobile, value, outcome, meaning }
}

const fn verify_code(value: &'static str, outcome: FixedOutcome, meaning: &'static str) -> Reserved {
    Reserved { kind: ReservedKind::VerifyCode, value, outcome, meaning }
}

/// Every reserved value.
pub const ALL: &[Reserved] = &[
    mobile(
        "10000000001",
        FixedOutcome::Wrong,
        "Codes can be sent to it. Each code that is submitted with it is refused as wrong.",
    ),
    mobile(
        "10000000002",
        FixedOutcome::Locked,
        "Codes can be sent to it. Each code that is submitted with it is refused because of too many attempts.",
    ),
    mobile(
        "10000000003",
        FixedOutcome::SendingFailed,
        "No code can be sent to it. A code that a test issues for it works.",
    ),
    mobile(
        "10000000004",
        FixedOutcome::Lost,
        "A code is sent to it, and the response is lost. A code that is submitted with it is checked, and the response is lost.",
    ),
    verify_code("000001", FixedOutcome::Wrong, "It is refused as wrong."),
    verify_code("000002", FixedOutcome::Locked, "It is refused because of too many attempts."),
    verify_code(
        "000004",
        FixedOutcome::Lost,
        "It is accepted, the step is carried out, and the response is lost.",
    ),
];

/// The fixed outcome of a value.
pub(super) fn outcome(kind: ReservedKind, value: &str) -> Option<FixedOutcome> {
    ALL.iter()
        .find(|reserved| reserved.kind == kind && reserved.value == value)
        .map(|reserved| reserved.outcome)
}
