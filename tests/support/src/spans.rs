//! A subscriber that keeps what is traced, as text.

use std::fmt::{Debug, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, Event, Metadata, Subscriber};

/// Keeps every span, as a line of its fields, and every event.
#[derive(Clone)]
pub struct Recorder(pub Arc<Spans>);

/// With one subscriber alone, a span that another thread comes to first is taken to interest nobody, for good: tracing asks
/// that thread's subscriber. With more it asks all of them.
static OTHERS: LazyLock<[Dispatch; 2]> =
    LazyLock::new(|| [(); 2].map(|()| Dispatch::new(NoSubscriber::new())));

impl Default for Recorder {
    fn default() -> Self {
        LazyLock::force(&OTHERS);
        Self(Arc::default())
    }
}

#[derive(Default)]
pub struct Spans {
    pub count: AtomicU64,
    pub lines: Mutex<Vec<String>>,
    pub events: Mutex<Vec<String>>,
    pub open: AtomicU64,
    pub entered: AtomicU64,
}

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // How long it took is the one thing that varies.
        if field.name() == "duration_us" {
            let number: u64 = format!("{value:?}").parse().unwrap();
            assert!(number < 60_000_000, "{number} microseconds");
            self.0.push_str(" duration_us=[time]");
        } else {
            write!(self.0, " {}={value:?}", field.name()).unwrap();
        }
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let metadata = span.metadata();
        let mut line = format!("{} {} {}:", metadata.level(), metadata.target(), metadata.name());
        span.record(&mut Fields(&mut line));
        self.0.lines.lock().unwrap().push(line);
        self.0.open.fetch_add(1, Ordering::SeqCst);
        Id::from_u64(self.0.count.fetch_add(1, Ordering::SeqCst) + 1)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut lines = self.0.lines.lock().unwrap();
        values.record(&mut Fields(&mut lines[usize::try_from(span.into_u64()).unwrap() - 1]));
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = String::new();
        event.record(&mut Fields(&mut line));
        self.0.events.lock().unwrap().push(line);
    }

    fn try_close(&self, _: Id) -> bool {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
        true
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {
        self.0.entered.fetch_add(1, Ordering::SeqCst);
    }
    fn exit(&self, _: &Id) {
        self.0.entered.fetch_sub(1, Ordering::SeqCst);
    }
}
