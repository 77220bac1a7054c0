//! The flow as a drawing, with a layout of its own: the stages in the middle, and around them one frame, the outcome of a
//! step, which every answer goes through. All coordinates follow from the steps that the stages have.

use std::fmt::Write as _;

use idaas_login::endpoints::{Scenario, StageKind};

use super::flow::{Does, Flow, Sends, Step};
use super::mermaid::statuses;
use support::scenario;

/// The columns: where each begins, and how wide it is.
const BEFORE: (i32, i32) = (24, 280);
const LEFT_LEG: (i32, i32) = (336, 46);
const STAGES: (i32, i32) = (500, 322);
const NARROWED: (i32, i32) = (886, 250);
const RIGHT_LEG: (i32, i32) = (1178, 46);
const WIDTH: i32 = 1248;

const FRAME_TOP: i32 = 80;
const FRAME_THICK: i32 = 46;
const TOP: i32 = FRAME_TOP + FRAME_THICK + 32;
/// Between two cards that belong together, and between two that do not.
const NEAR: i32 = 16;
const FAR: i32 = 34;

/// What all paths begin with; the drawing leaves it out.
const PREFIX: &str = "/api/v2/sdk";

/// The colours, by what has them.
const HUES: [&str; 6] = ["plain", "bind", "register", "factor", "end", "lost"];

struct Row {
    mark: &'static str,
    name: String,
    detail: Option<String>,
    tag: Option<String>,
}

impl Row {
    fn height(&self) -> i32 {
        if self.detail.is_some() { 38 } else { 26 }
    }
}

struct Card {
    title: String,
    hue: &'static str,
    column: (i32, i32),
    y: i32,
    rows: Vec<Row>,
}

impl Card {
    const HEAD: i32 = 32;

    fn height(&self) -> i32 {
        Self::HEAD + self.rows.iter().map(Row::height).sum::<i32>() + 8
    }

    fn left(&self) -> i32 {
        self.column.0
    }

    fn right(&self) -> i32 {
        self.column.0 + self.column.1
    }

    fn bottom(&self) -> i32 {
        self.y + self.height()
    }

    /// The middle of its title.
    fn head(&self) -> i32 {
        self.y + Self::HEAD / 2
    }

    /// The middle of a row.
    fn row(&self, name: &str) -> i32 {
        let mut y = self.y + Self::HEAD + 4;
        for row in &self.rows {
            if row.name == name {
                return y + row.height() / 2;
            }
            y += row.height();
        }
        panic!("the reference: {} has no row {name}", self.title)
    }
}

/// A stage that waits for a person, with what it narrows to.
struct Waiting {
    kind: StageKind,
    stage: Card,
    narrowed: Vec<(StageKind, Card)>,
}

/// The cards, laid out.
struct Layout {
    client: Card,
    login: Card,
    recovery: Card,
    captcha: Card,
    waiting: Vec<Waiting>,
    end: Card,
    bottom: i32,
}

impl Layout {
    fn new(flow: &Flow) -> Self {
        let card = |kind, column, y| Card {
            title: kind_title(kind),
            hue: hue(kind),
            column,
            y,
            rows: rows(flow, kind),
        };

        let client = card(StageKind::Client, BEFORE, TOP);
        let login = card(StageKind::Unauthenticated, BEFORE, client.bottom() + 50);
        let recovery = Card { y: login.bottom() + 56, ..recovery() };
        let captcha = card(StageKind::Captcha, BEFORE, recovery.bottom() + FAR);

        let mut y = TOP;
        let mut waiting = Vec::new();
        for (_, kind) in statuses(flow).into_iter().filter(|(_, kind)| *kind != StageKind::Authenticated) {
            let mut narrowed = Vec::new();
            let mut below = y;
            for step in flow.steps().filter(|step| step.from == kind) {
                if let Does::Narrows(row) = &step.does {
                    let card = card(row.to, NARROWED, below);
                    below = card.bottom() + NEAR;
                    narrowed.push((row.to, card));
                }
            }
            let mut stage = card(kind, STAGES, y);
            // In the middle of what it narrows to, so that one line goes up and one goes down.
            stage.y += (below - NEAR - y - stage.height()).max(0) / 2;
            y = stage.bottom().max(below - NEAR) + FAR;
            waiting.push(Waiting { kind, stage, narrowed });
        }
        let end = card(StageKind::Authenticated, STAGES, y);
        let bottom = end.bottom().max(captcha.bottom());
        Self { client, login, recovery, captcha, waiting, end, bottom }
    }

    fn cards(&self) -> impl Iterator<Item = &Card> {
        let waiting = self.waiting.iter().flat_map(|Waiting { stage, narrowed, .. }| {
            std::iter::once(stage).chain(narrowed.iter().map(|(_, card)| card))
        });
        [&self.client, &self.login, &self.recovery, &self.captcha, &self.end].into_iter().chain(waiting)
    }
}

fn kind_title(kind: StageKind) -> String {
    kind.to_string()
}

fn hue(kind: StageKind) -> &'static str {
    let of = scenario(kind).map_or(kind, Scenario::stage);
    match of {
        StageKind::PendingBind => "bind",
        StageKind::PendingRegister => "register",
        StageKind::MfaRequired => "factor",
        StageKind::Authenticated => "end",
        _ => "plain",
    }
}

fn rows(flow: &Flow, kind: StageKind) -> Vec<Row> {
    flow.steps().filter(|step| step.from == kind).map(row).collect()
}

fn row(step: &Step) -> Row {
    match &step.does {
        Does::Narrows(row) => Row {
            mark: "narrow",
            name: step.name.to_owned(),
            detail: None,
            tag: if row.gated { Some("if allowed".to_owned()) } else { back(step) },
        },
        Does::Sends(sends) => Row {
            mark: if sends.row.moves_the_flow() { "step" } else { "side" },
            name: step.name.to_owned(),
            detail: Some(detail(sends)),
            tag: match sends.gives {
                Some("()") | None => platform(step, sends),
                Some(gives) => Some(format!("gives {gives}")),
            },
        },
    }
}

/// What narrows back, beside its stage.
fn back(step: &Step) -> Option<String> {
    scenario(step.from).map(|scenario| format!("to {}", scenario.stage()))
}

fn platform(step: &Step, sends: &Sends) -> Option<String> {
    let platform = sends.row.platform.filter(|_| step.from != StageKind::Unauthenticated);
    platform.map(|platform| format!("{platform:?} only"))
}

fn detail(sends: &Sends) -> String {
    let path = sends.row.path.strip_prefix(PREFIX).unwrap_or(sends.row.path);
    let detail = format!("{} {path}", sends.row.verb);
    match sends.row.send_type.filter(|_| !sends.row.moves_the_flow()) {
        Some(send_type) => format!("{detail} · {}", send_type.as_str()),
        None => detail,
    }
}

/// The recoveries, as a card.
fn recovery() -> Card {
    let row = |name: &str, detail: &str| Row {
        mark: "none",
        name: name.to_owned(),
        detail: Some(detail.to_owned()),
        tag: None,
    };
    Card {
        title: "when a step does not lead on".to_owned(),
        hue: "lost",
        column: BEFORE,
        y: 0,
        rows: vec![
            row("Retry", "not carried out: the stage again"),
            row("Unresolved", "it may have been carried out"),
            row("StartOver", "state token dead, or access denied"),
        ],
    }
}

/// The drawing.
pub fn drawing(flow: &Flow) -> String {
    let layout = Layout::new(flow);
    let height = layout.bottom + 28;
    let mut out = String::new();
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\" aria-labelledby=\"title desc\">"
    )
    .unwrap();
    out.push_str("<!-- Generated by cargo xtask docs -->\n");
    out.push_str("<title id=\"title\">The flow of a login</title>\n");
    writeln!(out, "<desc id=\"desc\">{}</desc>", escaped(&described(flow))).unwrap();
    out.push_str(STYLE);
    tips(&mut out);
    writeln!(out, "<rect class=\"paper\" width=\"{WIDTH}\" height=\"{height}\" rx=\"12\"/>").unwrap();
    text(&mut out, "heading", BEFORE.0, 38, "The flow of a login");
    text(
        &mut out,
        "note",
        BEFORE.0,
        60,
        &format!("Paths begin with {PREFIX}. What is drawn is what the endpoint table says."),
    );
    frame(&mut out, &layout);
    arrows(&mut out, flow, &layout);
    for card in layout.cards() {
        draw(&mut out, card);
    }
    legend(&mut out, layout.captcha.bottom() + 72);
    out.push_str("</svg>\n");
    out
}

/// The flow in sentences, for who does not see the drawing.
fn described(flow: &Flow) -> String {
    let mut text = String::from("Client.login gives Unauthenticated.\n");
    for stage in flow.stages.iter().flat_map(|stage| &stage.kinds) {
        for step in flow.steps().filter(|step| step.from == *stage) {
            let name = format!("{stage}.{}", step.name);
            match &step.does {
                Does::Narrows(row) => writeln!(
                    text,
                    "{name} gives {}{}.",
                    row.to,
                    if row.gated { ", if the tenant allows it" } else { "" }
                ),
                Does::Sends(sends) => match (sends.row.leads_to, sends.gives) {
                    (_, Some("()")) => writeln!(text, "{name} is a side call."),
                    (_, Some(gives)) => writeln!(text, "{name} is a side call and gives {gives}."),
                    ([one], _) => writeln!(text, "{name} leads to {one}."),
                    _ => writeln!(text, "{name} leads to an outcome."),
                },
            }
            .unwrap();
        }
    }
    for (status, kind) in statuses(flow) {
        writeln!(text, "The outcome {status} is {kind}.").unwrap();
    }
    text.push_str("A step that does not lead on gives its stage back, or leads to Unauthenticated.");
    text
}

/// The outcome: a frame around the stages. What goes in on the right comes round to the left.
fn frame(out: &mut String, layout: &Layout) {
    let (left, right) = (LEFT_LEG.0, RIGHT_LEG.0 + RIGHT_LEG.1);
    let (inner_left, inner_right) = (left + LEFT_LEG.1, RIGHT_LEG.0);
    let (top, inner_top) = (FRAME_TOP, FRAME_TOP + FRAME_THICK);
    let narrowed = layout.waiting.iter().flat_map(|waiting| &waiting.narrowed).map(|(_, card)| card.bottom());
    let (left_end, right_end) = (layout.end.bottom(), narrowed.max().unwrap_or(layout.bottom));
    writeln!(
        out,
        "<path class=\"frame\" d=\"M{left} {}V{}Q{left} {top} {} {top}H{}Q{right} {top} {right} {}V{}q0 10 -10 10h-{}q-10 0 -10 -10V{}\
         Q{inner_right} {inner_top} {} {inner_top}H{}Q{inner_left} {inner_top} {inner_left} {}V{}q0 10 -10 10h-{}q-10 0 -10 -10Z\"/>",
        left_end - 10,
        top + 20,
        left + 20,
        right - 20,
        top + 20,
        right_end - 10,
        RIGHT_LEG.1 - 20,
        inner_top + 10,
        inner_right - 10,
        inner_left + 10,
        inner_top + 10,
        left_end - 10,
        LEFT_LEG.1 - 20,
    )
    .unwrap();
    let middle = i32::midpoint(STAGES.0, NARROWED.0 + NARROWED.1);
    centred(out, "outcome", middle, top + 29, "Outcome: the answer’s status names the next stage");
    for x in [left + 110, inner_right - 66] {
        let y = top + FRAME_THICK / 2;
        writeln!(out, "<path class=\"chevron\" d=\"M{} {}l-8 8 8 8\"/>", x + 4, y - 8).unwrap();
    }
    for (x, end, up) in [(left + LEFT_LEG.1 / 2, left_end, false), (right - RIGHT_LEG.1 / 2, right_end, true)]
    {
        for part in 1..4 {
            let y = inner_top + (end - inner_top) * part / 4;
            let rise = if up { -8 } else { 8 };
            writeln!(out, "<path class=\"chevron\" d=\"M{} {}l8 {rise} 8 {}\"/>", x - 8, y - rise / 2, -rise)
                .unwrap();
        }
    }
}

fn arrows(out: &mut String, flow: &Flow, layout: &Layout) {
    let into_left = LEFT_LEG.0 + LEFT_LEG.1;
    let moving =
        |kind| flow.steps().filter(move |step| step.from == kind && moves(step)).map(|step| step.name);

    let x = layout.client.left() + 60;
    line(out, "line", &format!("M{x} {}V{}", layout.client.bottom(), layout.login.y - 2), "end");
    text(out, "label", x + 12, layout.client.bottom() + 30, "login(device)");
    line(out, "line dashed", &format!("M{x} {}V{}", layout.recovery.y, layout.login.bottom() + 2), "end");
    text(out, "label", x + 12, layout.login.bottom() + 33, "StartOver, start_over()");
    for name in moving(StageKind::Unauthenticated) {
        let y = layout.login.row(name);
        line(out, "line", &format!("M{} {y}H{}", layout.login.right(), LEFT_LEG.0 - 2), "end");
    }

    for Waiting { kind, stage, narrowed } in &layout.waiting {
        status(out, flow, *kind, stage);
        for name in moving(*kind) {
            line(
                out,
                &format!("line {}", stage.hue),
                &format!("M{} {}H{}", stage.left(), stage.row(name), into_left + 2),
                "end",
            );
        }
        for (index, (to, card)) in narrowed.iter().enumerate() {
            let step = flow
                .steps()
                .find(|step| step.from == *kind && matches!(&step.does, Does::Narrows(row) if row.to == *to));
            let (from, to_y) = (stage.row(step.unwrap().name), card.head());
            // The first line turns first: so the two do not meet.
            let turn = stage.right() + 22 + 20 * i32::try_from(index).unwrap();
            let bend = if to_y < from { -8 } else { 8 };
            let path = format!(
                "M{} {from}H{}Q{turn} {from} {turn} {}V{}Q{turn} {to_y} {} {to_y}H{}",
                stage.right() + 2,
                turn - 8,
                from + bend,
                to_y - bend,
                turn + 8,
                card.left() - 2
            );
            line(out, &format!("line {}", stage.hue), &path, "both");
            for name in moving(*to) {
                let path = format!("M{} {}H{}", card.right(), card.row(name), RIGHT_LEG.0 - 2);
                line(out, &format!("line {}", stage.hue), &path, "end");
            }
        }
    }

    status(out, flow, StageKind::Authenticated, &layout.end);
    for name in moving(StageKind::Authenticated) {
        let (right, row, head) = (layout.end.right(), layout.end.row(name), layout.end.head());
        let path = format!("M{right} {row}h20q10 0 10 -10V{}q0 -10 -10 -10H{}", head + 10, right + 2);
        line(out, "line end", &path, "end");
    }
}

/// From the frame to a stage, with the status that leads there.
fn status(out: &mut String, flow: &Flow, kind: StageKind, card: &Card) {
    let names = statuses(flow);
    let (name, _) =
        names.iter().find(|(_, known)| *known == kind).expect("a status leads to each of these stages");
    let (from, y) = (LEFT_LEG.0 + LEFT_LEG.1, card.head());
    line(out, &format!("line {}", card.hue), &format!("M{from} {y}H{}", card.left() - 2), "end");
    text(out, "label", from + 10, y - 7, name);
}

fn moves(step: &Step) -> bool {
    matches!(&step.does, Does::Sends(sends) if sends.row.moves_the_flow())
}

fn draw(out: &mut String, card: &Card) {
    let Card { hue, y, .. } = *card;
    let (left, width, height) = (card.left(), card.column.1, card.height());
    writeln!(out, "<g class=\"card {hue}\">").unwrap();
    writeln!(
        out,
        "<rect class=\"body\" x=\"{left}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"8\"/>"
    )
    .unwrap();
    let (right, foot) = (left + width, y + Card::HEAD);
    writeln!(
        out,
        "<path class=\"head\" d=\"M{left} {foot}V{}q0 -8 8 -8H{}q8 0 8 8V{foot}Z\"/>",
        y + 8,
        right - 8
    )
    .unwrap();
    text(out, "title", left + 14, y + 21, &card.title);
    let mut y = y + Card::HEAD + 4;
    for row in &card.rows {
        let first = if row.detail.is_some() { y + 17 } else { y + 18 };
        mark(out, row.mark, left + 17, first - 4);
        let tag = row.tag.as_deref().map_or(0, |tag| width_of(tag, 60) + 10);
        let detail = row.detail.as_deref().map_or(0, |detail| width_of(detail, 61));
        let room = width - 32 - 12;
        assert!(
            width_of(&row.name, 76) + tag <= room && detail <= room,
            "the reference: {}.{} needs a wider column",
            card.title,
            row.name
        );
        text(out, "name", left + 32, first, &row.name);
        if let Some(tag) = &row.tag {
            ending(out, "tag", right - 12, first, tag);
        }
        if let Some(detail) = &row.detail {
            text(out, "path", left + 32, y + 32, detail);
        }
        y += row.height();
    }
    out.push_str("</g>\n");
}

/// About how wide a text is, whose letters are as wide as this, in tenths.
fn width_of(text: &str, letter: i32) -> i32 {
    i32::try_from(text.chars().count()).unwrap() * letter / 10
}

fn mark(out: &mut String, mark: &str, x: i32, y: i32) {
    match mark {
        "none" => Ok(()),
        "narrow" => writeln!(out, "<path class=\"mark\" d=\"M{x} {}l5 5 -5 5 -5 -5z\"/>", y - 5),
        "side" => writeln!(out, "<circle class=\"mark\" cx=\"{x}\" cy=\"{y}\" r=\"4\"/>"),
        _ => writeln!(out, "<circle class=\"mark full\" cx=\"{x}\" cy=\"{y}\" r=\"4.5\"/>"),
    }
    .unwrap();
}

fn legend(out: &mut String, y: i32) {
    out.push_str("<g class=\"plain\">\n");
    let x = BEFORE.0;
    let mut below = y;
    for (kind, words) in [
        ("step", "moves the flow by its answer"),
        ("side", "a side call: the stage stays"),
        ("narrow", "sends nothing"),
        ("both", "there, and with back() back again"),
        ("end", "the login begins again"),
    ] {
        match kind {
            "both" => line(out, "line", &format!("M{x} {}h40", below - 4), "both"),
            "end" => line(out, "line dashed", &format!("M{x} {}h40", below - 4), "end"),
            kind => mark(out, kind, x + 20, below - 4),
        }
        text(out, "note", x + 54, below, words);
        below += 26;
    }
    out.push_str("</g>\n");
}

/// A line in the colour of `hue`, with a head at its end or at both.
fn line(out: &mut String, class: &str, path: &str, heads: &str) {
    let hue = class.split(' ').find(|word| HUES.contains(word)).unwrap_or("plain");
    let start = if heads == "both" { format!(" marker-start=\"url(#tip-{hue})\"") } else { String::new() };
    writeln!(out, "<path class=\"{class}\" d=\"{path}\"{start} marker-end=\"url(#tip-{hue})\"/>").unwrap();
}

/// The heads of the lines: one for each colour, for a head does not take over that of its line everywhere.
fn tips(out: &mut String) {
    out.push_str("<defs>\n");
    for hue in HUES {
        writeln!(
            out,
            "<marker id=\"tip-{hue}\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
             markerUnits=\"userSpaceOnUse\" orient=\"auto-start-reverse\"><path class=\"tip {hue}\" d=\"M0 0.5 8 4 0 7.5z\"/></marker>"
        )
        .unwrap();
    }
    out.push_str("</defs>\n");
}

fn text(out: &mut String, class: &str, x: i32, y: i32, words: &str) {
    writeln!(out, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{}</text>", escaped(words)).unwrap();
}

fn centred(out: &mut String, class: &str, x: i32, y: i32, words: &str) {
    writeln!(
        out,
        "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{}</text>",
        escaped(words)
    )
    .unwrap();
}

fn ending(out: &mut String, class: &str, x: i32, y: i32, words: &str) {
    writeln!(
        out,
        "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"end\">{}</text>",
        escaped(words)
    )
    .unwrap();
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// One place for the colours: light, and dark where that is preferred.
const STYLE: &str = r#"<style>
svg { --paper: #ffffff; --ink: #1f2328; --faint: #59636e; --body: #f6f8fa; --edge: #d1d9e0; --frame: #e7ebf0; --hue: #59636e; --tint: #eaeef2; }
.bind { --hue: #0969da; --tint: #ddf0ff; }
.register { --hue: #8250df; --tint: #f3e8ff; }
.factor { --hue: #9a6700; --tint: #fff3c4; }
.end { --hue: #1a7f37; --tint: #d6f6dd; }
.lost { --hue: #bc4c00; --tint: #ffe9d9; }
@media (prefers-color-scheme: dark) {
  svg { --paper: #0d1117; --ink: #e6edf3; --faint: #9198a1; --body: #151b23; --edge: #3d444d; --frame: #262c36; --hue: #9198a1; --tint: #212830; }
  .bind { --hue: #58a6ff; --tint: #10294a; }
  .register { --hue: #bc8cff; --tint: #2b1d4a; }
  .factor { --hue: #e3b341; --tint: #3a2c0a; }
  .end { --hue: #3fb950; --tint: #12351d; }
  .lost { --hue: #f0883e; --tint: #3d2211; }
}
text { font-family: -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", Arial, sans-serif; fill: var(--ink); }
.paper { fill: var(--paper); }
.heading { font-size: 22px; font-weight: 600; }
.note { font-size: 13px; fill: var(--faint); }
.frame { fill: var(--frame); }
.outcome { font-size: 15px; font-weight: 600; }
.chevron { fill: none; stroke: var(--faint); stroke-width: 2.5; stroke-linecap: round; stroke-linejoin: round; opacity: .65; }
.body { fill: var(--body); stroke: var(--hue); stroke-opacity: .55; }
.head { fill: var(--tint); }
.title, .name, .path, .label { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace; }
.title { font-size: 13px; font-weight: 600; fill: var(--hue); }
.lost .title { font-family: -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", Arial, sans-serif; }
.name { font-size: 12.5px; }
.path { font-size: 10px; fill: var(--faint); }
.lost .path { font-family: -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", Arial, sans-serif; font-size: 11.5px; }
.tag { font-size: 10.5px; fill: var(--faint); }
.label { font-size: 11px; fill: var(--ink); }
.mark { fill: none; stroke: var(--hue); stroke-width: 1.6; }
.full { fill: var(--hue); }
.line { fill: none; stroke: var(--hue); stroke-width: 1.6; }
.tip { fill: var(--hue); }
.dashed { stroke-dasharray: 5 4; }
</style>
"#;
