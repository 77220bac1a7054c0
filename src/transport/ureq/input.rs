//! What a TLS connection has received and decrypted, in memory that is wiped.

use std::cell::Cell;
use std::io;
use std::mem::ManuallyDrop;
use std::ops::Range;

use ureq::Error as UreqError;
use zeroize::{Zeroize, Zeroizing};

/// Most responses fit into it.
const FIRST_SIZE: usize = 4_096;

/// The input of a TLS connection. It is wiped when it is dropped, and when it grows.
#[derive(Default)]
pub(super) struct Input {
    bytes: Zeroizing<Vec<u8>>,
    /// ureq has read to here.
    consumed: usize,
    /// ureq may read to here: rustls let so much of what was decrypted through.
    released: usize,
    /// The decrypted records end here.
    decrypted: usize,
    /// How much was released since the connection was opened.
    released_in_all: usize,
    /// Whether ureq has read something of what it saw last.
    is_progressing: bool,
    /// Whether the server sent an alert: it ends TLS, or is about to.
    is_ending: bool,
}

impl Input {
    /// What ureq has not read yet.
    pub(super) fn unread(&self) -> &[u8] {
        self.bytes.get(self.consumed..self.released).unwrap_or_default()
    }

    pub(super) fn consume(&mut self, size: usize) {
        self.is_progressing = size > 0;
        self.consumed = self.consumed.saturating_add(size).min(self.released);
        if self.consumed == self.decrypted {
            (self.consumed, self.released, self.decrypted) = (0, 0, 0);
        }
    }

    pub(super) fn is_usable(&self) -> bool {
        self.is_progressing && !self.unread().is_empty()
    }

    /// Whether everything that was decrypted has been read, and more may follow.
    pub(super) fn is_idle(&self) -> bool {
        self.consumed == self.decrypted && !self.is_ending
    }

    pub(super) fn set_ending(&mut self) {
        self.is_ending = true;
    }

    /// What is free behind the rest.
    pub(super) fn free(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.decrypted..).unwrap_or_default()
    }

    /// Makes room for `size` more bytes. What becomes too small for that is wiped.
    fn reserve(&mut self, size: usize) {
        if size <= self.bytes.len() - self.decrypted {
            return;
        }
        let kept = self.bytes.get(self.consumed..self.decrypted).unwrap_or_default();
        let room = kept.len().saturating_add(size).max(FIRST_SIZE).next_power_of_two();
        let mut larger = Zeroizing::new(Vec::with_capacity(room));
        larger.extend_from_slice(kept);
        larger.resize(room, 0);
        self.bytes = larger;
        self.released -= self.consumed;
        self.decrypted -= self.consumed;
        self.consumed = 0;
    }

    /// Copies an encrypted record to the end, to be decrypted there. Nothing of it counts before [`keep`](Self::keep).
    pub(super) fn place(&mut self, record: &[u8]) -> &mut [u8] {
        self.reserve(record.len());
        let place = self.placed(record.len());
        place.copy_from_slice(record);
        place
    }

    /// The record that was placed last.
    pub(super) fn placed(&mut self, size: usize) -> &mut [u8] {
        self.free().get_mut(..size).unwrap_or_default()
    }

    /// Of the record that was placed last, keeps the plaintext at `plain`. What moving it leaves behind is wiped.
    pub(super) fn keep(&mut self, plain: Range<usize>) {
        let size = plain.len();
        if plain.start > 0
            && let Some(place) = self.free().get_mut(..plain.end)
        {
            place.copy_within(plain, 0);
            place.get_mut(size..).unwrap_or_default().zeroize();
        }
        self.decrypted = self.decrypted.saturating_add(size).min(self.bytes.len());
    }

    /// How much was decrypted and not let through yet.
    fn waiting(&self) -> usize {
        self.decrypted.saturating_sub(self.released)
    }

    /// Writes marks into what rustls gets in the place of the plaintext that is kept next: they say where it is in the stream.
    pub(super) fn mark(&self, place: &mut [u8]) {
        let begin = self.released_in_all.wrapping_add(self.waiting());
        place.iter_mut().zip(marks(begin)).for_each(|(byte, mark)| *byte = mark);
    }

    /// rustls let `marks` through, of `at_most` so many at once. They must be those of all that waits, or of as much as may be:
    /// what is read is the stream that rustls would have given, without a gap.
    pub(super) fn release(&mut self, marks: &[u8], at_most: usize) -> Result<(), UreqError> {
        let size = marks.len();
        let pairs = marks.iter().zip(self::marks(self.released_in_all));
        let are_next = pairs.fold(0, |all, (byte, mark)| all | (byte ^ mark)) == 0;
        if size != self.waiting().min(at_most) || !are_next {
            let text = "rustls let through something else than what was decrypted";
            return Err(io::Error::new(io::ErrorKind::InvalidData, text).into());
        }
        self.released += size;
        self.released_in_all = self.released_in_all.wrapping_add(size);
        Ok(())
    }
}

/// The marks from a place in the stream on. From another place on they are others, so that a gap shows.
#[allow(clippy::cast_possible_truncation)] // The places repeat after 4 GiB.
fn marks(begin: usize) -> impl Iterator<Item = u8> {
    let begin = begin as u32;
    (0..u32::MAX).map(move |at| {
        let at = begin.wrapping_add(at);
        (at ^ (at >> 8) ^ (at >> 16) ^ (at >> 24)) as u8
    })
}

/// The input that a connection owns; `None` while it is lent.
pub(super) type Owned = Option<Box<Input>>;

thread_local! {
    /// The input of the connection that this thread reads from. Without a destructor, so that it works while the thread ends.
    static LENT: Cell<ManuallyDrop<Owned>> = const { Cell::new(ManuallyDrop::new(None)) };
}

fn replace_lent(input: Owned) -> Owned {
    ManuallyDrop::into_inner(LENT.replace(ManuallyDrop::new(input)))
}

/// Lends a connection's input to what decrypts in this thread, for as long as it lives. It nests: one connection may carry
/// another, and a logger may send while a connection is read from.
pub(super) struct Lent<'a> {
    owner: &'a mut Owned,
    outer: Owned,
}

impl<'a> Lent<'a> {
    pub(super) fn new(owner: &'a mut Owned) -> Self {
        let outer = replace_lent(owner.take());
        Self { owner, outer }
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        *self.owner = replace_lent(self.outer.take());
    }
}

/// Works on the input that is lent to this thread; `None`: none is.
pub(super) fn with_lent<T>(work: impl FnOnce(&mut Input) -> T) -> Option<T> {
    let mut input = replace_lent(None)?;
    let done = work(&mut input);
    replace_lent(Some(input));
    Some(done)
}
