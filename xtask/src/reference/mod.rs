//! The reference, generated: the flow as data ([`flow`]), and the documents that are written from it.
//!
//! The data come from the endpoint table and from the library itself: each step is run over a transport that gives each
//! [response](responses), and what came of it is written down.

pub mod chinese;
pub mod english;
pub mod errors;
pub mod fields;
pub mod flow;
pub mod json;
pub mod limits;
pub mod markdown;
pub mod mermaid;
pub mod page;
pub mod responses;
pub mod schema;
pub mod svg;

use std::collections::BTreeMap;

use chinese::CHINESE;
use english::ENGLISH;

/// Every generated file, and every generated part of a file, with its text.
///
/// A part is named `docs/flow.md#steps`: what stands between `<!-- steps -->` and `<!-- /steps -->`.
pub fn documents(flow: &flow::Flow) -> BTreeMap<String, String> {
    let mut documents = BTreeMap::from([
        ("docs/reference.md".to_owned(), page::reference(flow)),
        ("docs/errors.md".to_owned(), ENGLISH.errors()),
        ("docs/emulator.md#reserved".to_owned(), ENGLISH.reserved()),
        ("docs/flow.json".to_owned(), json::document(flow)),
        ("docs/flow.mmd".to_owned(), mermaid::whole(flow)),
        ("docs/flow.svg".to_owned(), svg::drawing(flow)),
        ("docs/zh/errors.md".to_owned(), CHINESE.errors()),
        ("docs/zh/emulator.md#reserved".to_owned(), CHINESE.reserved()),
        ("docs/zh/flow.md#steps".to_owned(), markdown::overview(flow, &CHINESE)),
        ("docs/flow.md#steps".to_owned(), markdown::overview(flow, &ENGLISH)),
        ("README.md#stages".to_owned(), mermaid::block(flow)),
    ]);
    for stage in &flow.stages {
        documents.insert(stage.rustdoc_file(), markdown::rustdoc(flow, stage));
    }
    documents
}
