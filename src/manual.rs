//! The manual: what the repository's `docs/` has, chapter by chapter. There is no code in here.
//!
//! - [Getting started](getting_started): a client, a device, a first login.
//! - [By stage](stages): what each stage waits for, and where it can lead.
//! - [Failure](failure): what happened, what you hold, what to do.
//! - [Error codes](errors): each code of the API, what it means, what to do.
//! - [Identity](identity): who the user is, verified.
//! - [Between requests](between_requests): a stage put down and picked up, with [blocking handlers](blocking_backend) and from
//!   [asynchronous code](async_code).
//! - [Mini programs](mini_programs): a front end, from `wx.login` to what the user is told.
//! - [Testing](testing): your own service against an emulated tenant.
//! - [Testing without Rust](testing_without_rust): the emulator as a program, and its control API.
//! - [From raw HTTP](from_raw_http): what a login by hand gets wrong, and how to move step by step.
//! - [Reading responses](reading_responses): how a response is read, step by step.
//! - [Porting](porting): a client in another language, and the vectors that test it.
//! - [Decisions](decisions): what the API's documents leave open, and what this crate does.
//! - [Coming from](coming_from): Okta, Amazon Cognito or Ory Kratos, status by status.
//! - [The probe](probe): what your own tenant does.
//! - [Glossary](glossary): the terms, with the Chinese ones.

/// A chapter: a document of the repository, which links to others by reference (`[failure]`). Where its links lead is said
/// at its end, as file names; here it is said before that, as paths, and the first definition of a link counts.
macro_rules! chapters {
    ($($(#[$meta:meta])* $name:ident = $file:literal;)+) => {$(
        $(#[$meta])*
        #[doc = concat!(
            "[getting started]: crate::manual::getting_started\n",
            "[stages]: crate::manual::stages\n",
            "[failure]: crate::manual::failure\n",
            "[errors]: crate::manual::errors\n",
            "[identity]: crate::manual::identity\n",
            "[between requests]: crate::manual::between_requests\n",
            "[blocking handlers]: crate::manual::blocking_backend\n",
            "[asynchronous code]: crate::manual::async_code\n",
            "[mini programs]: crate::manual::mini_programs\n",
            "[testing]: crate::manual::testing\n",
            "[program]: crate::manual::testing_without_rust\n",
            "[from raw HTTP]: crate::manual::from_raw_http\n",
            "[decisions]: crate::manual::decisions\n",
            "[probe]: crate::manual::probe\n",
            "[reading responses]: crate::manual::reading_responses\n",
            "[porting]: crate::manual::porting\n",
            "[coming from]: crate::manual::coming_from\n",
            "[glossary]: crate::manual::glossary\n",
            // In rustdoc each stage's own page has its part of the reference.
            "[reference]: crate\n",
            "[`Client`]: crate::Client\n",
            "[`Transport`]: crate::Transport\n",
            "\n",
            include_str!(concat!("../docs/", $file)),
        )]
        pub mod $name {}
    )+};
}

// The pages are always there. Their examples are compiled only with the features that they show.
chapters! {
    #[cfg(any(not(doctest), all(feature = "emulator", feature = "ureq")))]
    getting_started = "getting-started.md";

    stages = "flow.md";

    #[cfg(any(not(doctest), feature = "emulator"))]
    failure = "failure.md";

    errors = "errors.md";

    #[cfg(any(not(doctest), feature = "verify"))]
    identity = "identity.md";

    #[cfg(any(not(doctest), feature = "seal"))]
    between_requests = "embedding.md";

    blocking_backend = "embedding-backend.md";

    async_code = "embedding-async.md";

    mini_programs = "mini-program.md";

    #[cfg(any(not(doctest), all(feature = "emulator", feature = "seal", feature = "ureq", feature = "verify")))]
    testing = "emulator.md";

    testing_without_rust = "emulator-program.md";

    #[cfg(any(not(doctest), all(feature = "emulator", feature = "ureq")))]
    from_raw_http = "from-raw-http.md";

    decisions = "decisions.md";

    reading_responses = "reading-responses.md";

    porting = "porting.md";

    probe = "probe.md";

    coming_from = "coming-from.md";

    glossary = "glossary.md";
}

/// The README's examples are compiled with the others.
#[cfg(all(doctest, feature = "ureq"))]
#[doc = include_str!("../README.md")]
mod readme {}
