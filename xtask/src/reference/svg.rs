//! The flow as a drawing, with a layout of its own: the stages in three columns, and around them one frame, the outcome of a
//! step, which every answer goes through. All coordinates follow from the steps that the stages have.

use std::fmt::Write as _;

use idaas_login::endpoints::{Scenario, StageKind};

use super::flow::{Does, Flow, Sends, Step};
use super::mermaid::statuses;
use support::scenario;

/// The columns: where each begins, and how wide it is. The last one is for what a narrowed stage is narrowed to.
const LEFT_LEG: (i32, i32) = (24, 46);
const STAGES: (i32, i32) = (206, 360);
const NARROWED: (i32, i32) = (664, 290);
const DEEPER: (i32, i32) = (1026, 290);
const RIGHT_LEG: (i32, i32) = (1384, 46);
const WIDTH: i32 = 1454;

const FRAME_TOP: i32 = 80;
const FRAME_THICK: i32 = 46;
const TOP: i32 = FRAME_TOP + FRAME_THICK + 32;
/// Between two cards that belong together, and between two that do not.
const NEAR: i32 = 16;
const FAR: i32 = 34;

/// What all paths begin with; the drawing leaves it out.
const PREFIX: &str = "/api/v2/sdk";

/// The colours, by what has them.
const HUES: [&str; 7] = ["plain", "bind", "register", "factor", "password", "end", "lost"];

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

/// The cards, laid out.
struct Layout {
    client: Card,
    recovery: Card,
    captcha: Card,
    stages: Vec<(StageKind, Card)>,
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
        let mut stages = Vec::new();

        let client = card(StageKind::Client, STAGES, TOP);
        let login = card(StageKind::Unauthenticated, STAGES, client.bottom() + 66);
        let recovery = Card { y: login.bottom() + 56, ..recovery() };
        let captcha = card(StageKind::Captcha, STAGES, recovery.bottom() + FAR);
        let mut below = login.y;
        for to in narrowed(flow, StageKind::Unauthenticated) {
            let mut stage = card(to, NARROWED, below);
            let mut bottom = below;
            for deeper in narrowed(flow, to) {
                let card = card(deeper, DEEPER, bottom);
                bottom = card.bottom() + NEAR;
                stages.push((deeper, card));
            }
            let far = bottom > below;
            stage.y += (bottom - NEAR - below - stage.height()).max(0) / 2;
            below = if far { bottom - NEAR + FAR } else { stage.bottom() + NEAR };
            stages.push((to, stage));
        }
        let mut y = captcha.bottom().max(below - NEAR) + FAR;
        stages.push((StageKind::Unauthenticated, login));

        let mut waiting: Vec<(Vec<StageKind>, Vec<StageKind>)> = Vec::new();
        for (_, kind) in statuses(flow).into_iter().filter(|(_, kind)| *kind != StageKind::Authenticated) {
            let to = narrowed(flow, kind);
            match waiting.iter_mut().find(|(_, known)| *known == to) {
                Some((kinds, _)) => kinds.push(kind),
                None => waiting.push((vec![kind], to)),
            }
        }
        for (kinds, narrowed) in waiting {
            let mut own: Vec<_> = stacked(kinds, FAR, |kind| card(kind, STAGES, y));
            let mut to: Vec<_> = stacked(narrowed, NEAR, |kind| card(kind, NARROWED, y));
            let bottom = |cards: &[(StageKind, Card)]| cards.last().map_or(y, |(_, card)| card.bottom());
            let (left, right) = (bottom(&own), bottom(&to));
            // In the middle of each other, so that one line goes up and one goes down.
            let lower = if left < right { &mut own } else { &mut to };
            for (_, card) in lower {
                card.y += (left - right).abs() / 2;
            }
            y = left.max(right) + FAR;
            stages.extend(own.into_iter().chain(to));
        }
        let end = card(StageKind::Authenticated, STAGES, y);
        let bottom = end.bottom().max(end.y + LEGEND_HEIGHT);
        stages.push((StageKind::Authenticated, end));
        Self { client, recovery, captcha, stages, bottom }
    }

    fn card(&self, kind: StageKind) -> &Card {
        let found = self.stages.iter().find(|(known, _)| *known == kind);
        &found.unwrap_or_else(|| panic!("the reference: the drawing has no place for {kind}")).1
    }

    fn cards(&self) -> impl Iterator<Item = &Card> {
        [&self.client, &self.recovery, &self.captcha]
            .into_iter()
            .chain(self.stages.iter().map(|(_, card)| card))
    }
}

/// One below the other.
fn stacked(kinds: Vec<StageKind>, gap: i32, card: impl Fn(StageKind) -> Card) -> Vec<(StageKind, Card)> {
    let mut cards: Vec<(StageKind, Card)> = Vec::new();
    for kind in kinds {
        let mut card = card(kind);
        if let Some((_, last)) = cards.last() {
            card.y = last.bottom() + gap;
        }
        cards.push((kind, card));
    }
    cards
}

/// The steps of a stage in the order of its card: those that narrow it come last, and of them first those whose stages are
/// narrowed again, so that lines to the same column do not cross.
fn steps_of(flow: &Flow, kind: StageKind) -> Vec<&Step> {
    let mut steps: Vec<_> = flow.steps().filter(|step| step.from == kind).collect();
    steps.sort_by_key(|step| match &step.does {
        Does::Sends(_) => 0,
        // Its line back to the beginning runs above the others.
        Does::Narrows(row) if row.to == StageKind::PasswordReset => 1,
        Does::Narrows(row) if scenario(row.to).is_none() => 2,
        Does::Narrows(_) => 3,
    });
    steps
}

/// What narrows a stage and does not lead back: the name of the step, and the stage that it gives.
fn narrowings(flow: &Flow, kind: StageKind) -> impl Iterator<Item = (&'static str, StageKind)> {
    steps_of(flow, kind).into_iter().filter_map(|step| match &step.does {
        Does::Narrows(row) if step.name != "back" => Some((step.name, row.to)),
        _ => None,
    })
}

fn narrowed(flow: &Flow, kind: StageKind) -> Vec<StageKind> {
    narrowings(flow, kind).map(|(_, to)| to).collect()
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
        StageKind::PasswordExpiring | StageKind::PasswordExpired => "password",
        StageKind::Authenticated => "end",
        _ => "plain",
    }
}

fn rows(flow: &Flow, kind: StageKind) -> Vec<Row> {
    steps_of(flow, kind).into_iter().map(row).collect()
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
                None if is_back_from_the_end(step, sends) => Some("to Unauthenticated".to_owned()),
                Some("()") | None => origin(step, sends),
                Some(gives) => Some(format!("gives {gives}")),
            },
        },
    }
}

/// Whether it leads from the end of a login to its beginning.
fn is_back_from_the_end(step: &Step, sends: &Sends) -> bool {
    step.from == StageKind::Authenticated && sends.row.leads_to == [StageKind::Unauthenticated]
}

/// What narrows back, beside its stage.
fn back(step: &Step) -> Option<String> {
    scenario(step.from).map(|scenario| format!("to {}", scenario.stage()))
}

/// The origin of the login that a step begins, or without which there is no such step.
fn origin(step: &Step, sends: &Sends) -> Option<String> {
    let origin = sends.row.origin()?;
    match step.from {
        StageKind::Unauthenticated => Some(format!("{origin:?}")),
        _ if sends.row.platform.is_some() => Some(format!("{origin:?} only")),
        _ => None,
    }
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
        column: STAGES,
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
    style(&mut out);
    tips(&mut out);
    writeln!(out, "<rect class=\"paper\" width=\"{WIDTH}\" height=\"{height}\" rx=\"12\"/>").unwrap();
    text(&mut out, "heading", LEFT_LEG.0, 38, "The flow of a login");
    text(
        &mut out,
        "note",
        LEFT_LEG.0,
        60,
        &format!("Paths begin with {PREFIX}. What is drawn is what the endpoint table says."),
    );
    frame(&mut out, &layout);
    arrows(&mut out, flow, &layout);
    for card in layout.cards() {
        draw(&mut out, card);
    }
    legend(&mut out, layout.card(StageKind::Authenticated).y + 20);
    out.push_str("</svg>\n");
    assert_lines_are_clear(&out, &layout);
    out
}

/// No line runs through a card.
fn assert_lines_are_clear(drawing: &str, layout: &Layout) {
    for line in drawing.lines().filter(|line| line.starts_with("<path class=\"line")) {
        let path = line.split_once(" d=\"").unwrap().1.split('"').next().unwrap();
        for ends in points(path).windows(2) {
            let [(x, y), (to_x, to_y)] = [ends[0], ends[1]];
            let through = layout.cards().find(|card| {
                let beside = x.max(to_x) <= card.left() || card.right() <= x.min(to_x);
                let below = y.max(to_y) <= card.y || card.bottom() <= y.min(to_y);
                !beside && !below
            });
            assert!(
                through.is_none(),
                "the reference: the line {path} runs through {}",
                through.unwrap().title
            );
        }
    }
}

/// The points that a path goes by, each curve by way of its control point.
fn points(path: &str) -> Vec<(i32, i32)> {
    let mut points = Vec::new();
    let (mut x, mut y) = (0, 0);
    let is_command = |letter: char| letter.is_ascii_alphabetic();
    for (at, command) in path.match_indices(is_command) {
        let numbers = path[at + 1..].split(is_command).next().unwrap();
        let numbers: Vec<i32> = numbers.split_whitespace().map(|number| number.parse().unwrap()).collect();
        let start = (x, y);
        for ends in numbers.chunks(if "HVhv".contains(command) { 1 } else { 2 }) {
            (x, y) = match (command, ends) {
                ("H", [to]) => (*to, y),
                ("V", [to]) => (x, *to),
                ("h", [by]) => (x + by, y),
                ("M" | "Q", [to_x, to_y]) => (*to_x, *to_y),
                ("q", [by_x, by_y]) => (start.0 + by_x, start.1 + by_y),
                _ => panic!("the reference: the path {path} has a part that is not known here"),
            };
            points.push((x, y));
        }
    }
    points
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
    let narrowed = layout.cards().filter(|card| card.column != STAGES).map(Card::bottom);
    let end = layout.card(StageKind::Authenticated).bottom();
    let (left_end, right_end) = (end, narrowed.max().unwrap_or(end));
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
    let middle = i32::midpoint(left, right);
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
    let login = layout.card(StageKind::Unauthenticated);
    let x = login.left() + 60;
    line(out, "line", &format!("M{x} {}V{}", layout.client.bottom(), login.y - 2), "end");
    text(out, "label", x + 12, layout.client.bottom() + 30, "login(device)");
    line(out, "line dashed", &format!("M{x} {}V{}", layout.recovery.y, login.bottom() + 2), "end");
    text(out, "label", x + 12, login.bottom() + 33, "StartOver, start_over()");
    text(out, "label", login.left() + 270, login.y - 30, "a reset of the password");

    for (_, kind) in statuses(flow) {
        status(out, flow, kind, layout.card(kind));
    }
    for (kind, card) in &layout.stages {
        for step in flow.steps().filter(|step| step.from == *kind && moves(step)) {
            moving(out, step, card, layout);
        }
        narrowing(out, flow, *kind, layout);
    }
}

/// From a step to where its answer leads.
fn moving(out: &mut String, step: &Step, card: &Card, layout: &Layout) {
    let Does::Sends(sends) = &step.does else { return };
    let row = sends.row;
    let (class, y) = (format!("line {}", card.hue), card.row(step.name));
    let path = match row.leads_to {
        // Said beside its name: a line from the end to the beginning would cross the others.
        _ if is_back_from_the_end(step, sends) => return,
        [StageKind::Unauthenticated] => {
            let login = layout.card(StageKind::Unauthenticated);
            let (x, lane, to) = (card.right() + 22, login.y - 22, login.left() + 250);
            format!(
                "M{} {y}H{}Q{x} {y} {x} {}V{}Q{x} {lane} {} {lane}H{}Q{to} {lane} {to} {}V{}",
                card.right(),
                x - 8,
                y - 8,
                lane + 8,
                x - 8,
                to + 8,
                lane + 8,
                login.y - 2
            )
        }
        // To itself.
        [_] => {
            let (right, head) = (card.right(), card.head());
            format!("M{right} {y}h20q10 0 10 -10V{}q0 -10 -10 -10H{}", head + 10, right + 2)
        }
        _ if card.column == STAGES => format!("M{} {y}H{}", card.left(), LEFT_LEG.0 + LEFT_LEG.1 + 2),
        _ => format!("M{} {y}H{}", card.right(), RIGHT_LEG.0 - 2),
    };
    line(out, &class, &path, "end");
}

/// From a stage to what it narrows to.
fn narrowing(out: &mut String, flow: &Flow, kind: StageKind, layout: &Layout) {
    let stage = layout.card(kind);
    let to = narrowed(flow, kind);
    let shared = layout.stages.iter().any(|(other, _)| {
        *other != kind && narrowed(flow, *other).iter().any(|narrowed| to.contains(narrowed))
    });
    let is_up = |(name, to): &(&str, StageKind)| layout.card(*to).head() < stage.row(name);
    let down = narrowings(flow, kind).filter(|one| !is_up(one)).count();
    let up = to.len() - down;
    for (index, (name, to)) in narrowings(flow, kind).enumerate() {
        let (from, card) = (stage.row(name), layout.card(to));
        let head = card.head();
        // Each line turns where it meets no other of its stage; stages with the same destinations share the turns.
        let lane = if shared || is_up(&(name, to)) { index } else { down - 1 - (index - up) };
        let turn = stage.right() + 22 + 20 * i32::try_from(lane).unwrap();
        let bend = ((head - from) / 2).clamp(-8, 8);
        let path = format!(
            "M{} {from}H{}Q{turn} {from} {turn} {}V{}Q{turn} {head} {} {head}H{}",
            stage.right() + 2,
            turn - 8,
            from + bend,
            head - bend,
            turn + 8,
            card.left() - 2
        );
        let back = scenario(to).is_some() && to.before_narrowing() == kind;
        line(out, &format!("line {}", stage.hue), &path, if back { "both" } else { "end" });
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

/// The height of the legend.
const LEGEND_HEIGHT: i32 = 26 * 3;

fn legend(out: &mut String, y: i32) {
    out.push_str("<g class=\"plain\">\n");
    for (index, (kind, words)) in (0..).zip([
        ("step", "moves the flow by its answer"),
        ("side", "a side call: the stage stays"),
        ("narrow", "sends nothing"),
        ("both", "there, and with back() back again"),
        ("end", "the login begins again"),
    ]) {
        let x = if index < 3 { NARROWED.0 } else { DEEPER.0 };
        let below = y + 26 * (index % 3);
        match kind {
            "both" => line(out, "line", &format!("M{x} {}h40", below - 4), "both"),
            "end" => line(out, "line dashed", &format!("M{x} {}h40", below - 4), "end"),
            kind => mark(out, kind, x + 20, below - 4),
        }
        text(out, "note", x + 54, below, words);
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
/// Colours of all cards: paper, ink, faint ink, a card's body, the frame.
struct Palette {
    paper: &'static str,
    ink: &'static str,
    faint: &'static str,
    body: &'static str,
    frame: &'static str,
    /// Of each of [`HUES`]: the colour, and its tint.
    hues: [(&'static str, &'static str); HUES.len()],
}

const LIGHT: Palette = Palette {
    paper: "#ffffff",
    ink: "#1f2328",
    faint: "#59636e",
    body: "#f6f8fa",
    frame: "#e7ebf0",
    hues: [
        ("#59636e", "#eaeef2"),
        ("#0969da", "#ddf0ff"),
        ("#8250df", "#f3e8ff"),
        ("#9a6700", "#fff3c4"),
        ("#0b7285", "#d5f3f8"),
        ("#1a7f37", "#d6f6dd"),
        ("#bc4c00", "#ffe9d9"),
    ],
};

const DARK: Palette = Palette {
    paper: "#0d1117",
    ink: "#e6edf3",
    faint: "#9198a1",
    body: "#151b23",
    frame: "#262c36",
    hues: [
        ("#9198a1", "#212830"),
        ("#58a6ff", "#10294a"),
        ("#bc8cff", "#2b1d4a"),
        ("#e3b341", "#3a2c0a"),
        ("#3bc9db", "#0c2f36"),
        ("#3fb950", "#12351d"),
        ("#f0883e", "#3d2211"),
    ],
};

/// What is coloured, in plain rules: some viewers know neither variables nor media queries, and show the light colours.
fn colours(out: &mut String, palette: &Palette) {
    let Palette { paper, ink, faint, body, frame, hues } = palette;
    writeln!(out, "text, .label {{ fill: {ink}; }}").unwrap();
    writeln!(out, ".paper {{ fill: {paper}; }}").unwrap();
    writeln!(out, ".note, .path, .tag {{ fill: {faint}; }}").unwrap();
    writeln!(out, ".frame {{ fill: {frame}; }}").unwrap();
    writeln!(out, ".chevron {{ stroke: {faint}; }}").unwrap();
    writeln!(out, ".body {{ fill: {body}; }}").unwrap();
    for (name, (hue, tint)) in HUES.iter().zip(hues) {
        // The plain one is that of whatever has no other.
        let of = |class: &str| {
            if *name == "plain" { format!(".{class}") } else { format!(".{name} .{class}, .{class}.{name}") }
        };
        let strokes = ["body", "mark", "line"].map(of).join(", ");
        let fills = ["title", "full", "tip"].map(of).join(", ");
        writeln!(out, "{strokes} {{ stroke: {hue}; }}").unwrap();
        writeln!(out, "{fills} {{ fill: {hue}; }}").unwrap();
        writeln!(out, "{} {{ fill: {tint}; }}", of("head")).unwrap();
    }
}

fn style(out: &mut String) {
    out.push_str("<style>\n");
    out.push_str(SHAPES);
    colours(out, &LIGHT);
    out.push_str("@media (prefers-color-scheme: dark) {\n");
    colours(out, &DARK);
    out.push_str("}\n</style>\n");
}

/// What is the same in the light and in the dark.
const SHAPES: &str = r#"text { font-family: -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", Arial, sans-serif; }
.heading { font-size: 22px; font-weight: 600; }
.note { font-size: 13px; }
.outcome { font-size: 15px; font-weight: 600; }
.chevron { fill: none; stroke-width: 2.5; stroke-linecap: round; stroke-linejoin: round; opacity: .65; }
.body { stroke-opacity: .55; }
.title, .name, .path, .label { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace; }
.title { font-size: 13px; font-weight: 600; }
.lost .title { font-family: -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", Arial, sans-serif; }
.name { font-size: 12.5px; }
.path { font-size: 10px; }
.lost .path { font-family: -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", Arial, sans-serif; font-size: 11.5px; }
.tag { font-size: 10.5px; }
.label { font-size: 11px; }
.mark { fill: none; stroke-width: 1.6; }
.line { fill: none; stroke-width: 1.6; }
.dashed { stroke-dasharray: 5 4; }
"#;
