//! What was measured, by benchmark.

use serde::{Deserialize, Serialize};

use crate::record::Row;

/// Everything that was measured: `docs/performance.json`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// How many cores there were.
    pub cores: usize,
    /// The compiler.
    pub rustc: String,
    /// By benchmark, in the order of [`PARTS`].
    pub parts: Vec<Part>,
}

/// The rows of one benchmark.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Its name.
    pub bench: String,
    pub rows: Vec<Row>,
}

/// The benchmarks: name, heading, and how to read the figures.
pub const PARTS: [(&str, &str, &str); 7] = [
    (
        "step",
        "A step",
        "A step over a closure, beside the same request and answer written by hand with `http` and `serde_json` for these \
         two steps alone. By hand nothing is zeroized, and an error is a text. Instructions are counted by valgrind, \
         allocations by the allocator.",
    ),
    (
        "login",
        "A login over the network",
        "Two steps over loopback on a kept connection, beside bare `ureq` with the same limits, headers and fields. Medians \
         of rounds that take turns.",
    ),
    (
        "threads",
        "Many threads",
        "Each thread logs users in over TLS on loopback. Bare TLS sends and reads as many bytes without any HTTP: the limit. \
         A default pool of `ureq` keeps three idle connections, a wide one as many as there are threads. The server counts \
         the handshakes once each thread has had a connection. `ureq` by itself resolves the name for each request, in a \
         thread that it starts for it. On one thread either side sleeps while the other works, and much of a step's time \
         is spent waking them: the row of the limit itself says how much.",
    ),
    (
        "counts",
        "For planning",
        "A client on one thread and a kept connection, in a process of its own, reaching the server by name. System calls, \
         threads started and names resolved are those of a step, counted by strace. The processor time is the \
         client's alone, kernel included; its inverse says how many steps a second one core carries, of which more are better. What limits a service \
         is that time: a step holds no lock while it waits, and its connection is one of as many as there are steps at \
         the same moment, so `max_idle_connections` should be that number. The memory is what one of 64 kept connections has \
         allocated, buffers and its share of the client included.",
    ),
    (
        "identity",
        "Who the user is",
        "An RS256 token of a 2048-bit key. Bare `ring` checks the signature alone, of bytes that are taken apart already: the \
         limit.",
    ),
    (
        "seal",
        "Between two requests",
        "A `PendingBind` suspended and sealed, opened and resumed. Bare `ring` encrypts and decrypts as many bytes: the \
         limit; the rest is the expiry, the context's HMAC, Base64, and putting the stage together.",
    ),
    (
        "builds",
        "What a user compiles",
        "A minimal program that logs in over TLS with `ureq`, in release mode, from an empty folder: `peers/users`.",
    ),
];

/// The parts with what is said about them.
pub fn sections(
    figures: &Figures,
) -> impl Iterator<Item = (&Part, &'static (&'static str, &'static str, &'static str))> {
    let said = |part: &Part| PARTS.iter().find(|(bench, ..)| *bench == part.bench);
    figures.parts.iter().filter_map(move |part| Some((part, said(part)?)))
}
