//! `docs/performance.svg`: a bar for each ratio, from the line of 1.00, on a logarithmic axis.

use std::fmt::Write as _;

use crate::figures::{Figures, sections};
use crate::record::{Row, Target};

const WIDTH: f64 = 940.0;
/// Where the axis begins and ends.
const LEFT: f64 = 480.0;
const RIGHT: f64 = 880.0;
const ROW: f64 = 22.0;
const HEADING: f64 = 38.0;
const TOP: f64 = 64.0;
/// The ratios at the ends of the axis; what is beyond is drawn to the end.
const ENDS: (f64, f64) = (0.03, 16.0);
const TICKS: [f64; 8] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0];

const STYLE: &str = "\
  svg { color-scheme: light dark; font: 12px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; }
  .ground { fill: #ffffff; } text { fill: #1f2328; stroke: #ffffff; stroke-width: 3; paint-order: stroke; } .soft { fill: #59636e; } .head { font-weight: 600; font-size: 13px; }
  .title { font-weight: 600; font-size: 15px; } .grid { stroke: #d1d9e0; } .one { stroke: #1f2328; }
  .less { fill: #1a7f5a; } .more { fill: #b35900; } .target { stroke: #0969da; stroke-width: 2; }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; } text { fill: #f0f6fc; stroke: #0d1117; } .soft { fill: #9198a1; } .grid { stroke: #3d444d; }
    .one { stroke: #f0f6fc; } .less { fill: #3fb68b; } .more { fill: #e0883a; } .target { stroke: #58a6ff; }
  }
";

/// Where a ratio lies.
fn x(ratio: f64) -> f64 {
    let (low, high) = (ENDS.0.ln(), ENDS.1.ln());
    LEFT + (RIGHT - LEFT) * (ratio.clamp(ENDS.0, ENDS.1).ln() - low) / (high - low)
}

/// Counts that may be nought have no place on such an axis.
fn drawn(row: &&Row) -> bool {
    row.ratio.is_some_and(|ratio| ratio > 0.0) && !matches!(row.target, Some(Target::AtMost(_)))
}

/// The plot, as SVG that follows the reader's light or dark scheme.
pub fn plot(figures: &Figures) -> String {
    let mut body = String::new();
    let mut y = TOP;
    for (part, (_, heading, _)) in sections(figures) {
        y += HEADING;
        let _ = writeln!(body, r#"<text class="head" x="20" y="{}">{heading}</text>"#, y - 16.0);
        for row in part.rows.iter().filter(drawn) {
            bar(&mut body, row, y);
            y += ROW;
        }
    }
    let height = y + 16.0;
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">
<title>What the library needs, divided by what its peer needs</title>
<style>
{STYLE}</style>
<rect class="ground" width="{WIDTH}" height="{height}"/>
<text class="title" x="20" y="30">What the library needs, divided by what its peer needs</text>
<text class="soft" x="20" y="50">one run for both; less is better</text>
<line class="target" x1="240" x2="240" y1="40" y2="54"/><text class="soft" x="248" y="50">target</text>
"#
    );
    for tick in TICKS {
        let class = if (tick - 1.0).abs() < f64::EPSILON { "one" } else { "grid" };
        let at = x(tick);
        let _ = writeln!(
            svg,
            r#"<line class="{class}" x1="{at:.1}" x2="{at:.1}" y1="{TOP}" y2="{y:.1}"/><text class="soft" x="{at:.1}" y="{}" text-anchor="middle">{tick}</text>"#,
            TOP - 6.0
        );
    }
    svg + &body + "</svg>\n"
}

fn bar(body: &mut String, row: &Row, y: f64) {
    let ratio = row.ratio.unwrap_or(1.0);
    let (from, to) = (x(1.0).min(x(ratio)), x(1.0).max(x(ratio)));
    let mark = if let Some(Target::Ratio(target)) = row.target { Some(x(target)) } else { None };
    // The number stands behind the bar, and behind the target's mark if that is near.
    let (class, label, anchor) = match mark {
        _ if ratio <= 1.0 => ("less", from - 6.0, "end"),
        Some(mark) if mark < to + 40.0 => ("more", mark.max(to) + 6.0, "start"),
        _ => ("more", to + 6.0, "start"),
    };
    let of = if row.what.contains("time") { String::new() } else { format!(", {}", row.kind()) };
    let middle = y + 4.0;
    let _ = writeln!(
        body,
        r#"<text x="30" y="{middle}">{}{of} <tspan class="soft">· {}</tspan></text>"#,
        row.what, row.peer
    );
    let _ = writeln!(
        body,
        r#"<rect class="{class}" x="{from:.1}" y="{:.1}" width="{:.1}" height="12"/>"#,
        y - 6.0,
        (to - from).max(1.0)
    );
    if let Some(at) = mark {
        let _ = writeln!(
            body,
            r#"<line class="target" x1="{at:.1}" x2="{at:.1}" y1="{:.1}" y2="{:.1}"/>"#,
            y - 8.0,
            y + 8.0
        );
    }
    let _ = writeln!(body, r#"<text x="{label:.1}" y="{middle}" text-anchor="{anchor}">{ratio:.2}</text>"#);
}
