//! Captcha pictures: a real one with a hole, and the piece that fits.

use png::{BitDepth, ColorType, Encoder};

const WIDTH: u32 = 310;
const HEIGHT: u32 = 155;
const PIECE: u32 = 47;
/// The piece keeps clear of the left edge, where it starts.
const LEFTMOST: u32 = 2 * PIECE;

/// A puzzle: two PNG files, and where the piece fits.
pub(super) struct Puzzle {
    pub(super) picture: Vec<u8>,
    pub(super) piece: Vec<u8>,
    pub(super) x: u32,
}

impl Puzzle {
    /// The puzzle that `random` stands for.
    pub(super) fn new(random: u64) -> Option<Self> {
        let below = |range: u32, bits: u64| u32::try_from(bits % u64::from(range)).unwrap_or_default();
        let x = LEFTMOST + below(WIDTH - LEFTMOST - PIECE, random);
        let y = below(HEIGHT - PIECE, random >> 20);
        let phase = below(1000, random >> 40);
        let mut picture = Vec::new();
        let mut piece = Vec::new();
        for row in 0..HEIGHT {
            for column in 0..WIDTH {
                let [red, green, blue] = landscape(column, row, phase);
                let hole = column
                    .checked_sub(x)
                    .zip(row.checked_sub(y))
                    .is_some_and(|(across, down)| shape(across, down));
                // The hole is darker than what was there.
                picture.extend(if hole { [red / 3, green / 3, blue / 3] } else { [red, green, blue] });
            }
            for column in 0..PIECE {
                let inside = row.checked_sub(y).is_some_and(|down| shape(column, down));
                let [red, green, blue] = landscape(column + x, row, phase);
                piece.extend(if inside { [red, green, blue, 255] } else { [0; 4] });
            }
        }
        Some(Self {
            picture: png(WIDTH, ColorType::Rgb, &picture)?,
            piece: png(PIECE, ColorType::Rgba, &piece)?,
            x,
        })
    }
}

/// A square whose right side bulges, as a jigsaw piece does.
fn shape(across: u32, down: u32) -> bool {
    let square = across < PIECE - 8 && down < PIECE;
    let knob = across.abs_diff(PIECE - 8).pow(2) + down.abs_diff(PIECE / 2).pow(2) < 64;
    (square || knob) && across < PIECE
}

/// Hills under a sky, in bands that a person can line up.
fn landscape(x: u32, y: u32, phase: u32) -> [u8; 3] {
    let position = f64::from(x + phase);
    let hill = 70.0 + 22.0 * (position / 31.0).sin() + 9.0 * (position / 11.0).cos();
    let height = f64::from(y);
    let band = if ((x + phase) / 7).is_multiple_of(2) { 12 } else { 0 };
    if height < hill {
        [shade(120.0 + height / 2.0), shade(170.0 + height / 3.0), 235 - band]
    } else {
        [70 + band, shade(200.0 - height / 2.0), 80 + band]
    }
}

fn shade(value: f64) -> u8 {
    // Within 0 and 255 for every point of the picture; the cast saturates besides.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let shade = value as u8;
    shade
}

fn png(width: u32, color: ColorType, pixels: &[u8]) -> Option<Vec<u8>> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, width, HEIGHT);
    encoder.set_color(color);
    encoder.set_depth(BitDepth::Eight);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(pixels).ok()?;
    writer.finish().ok()?;
    Some(file)
}
