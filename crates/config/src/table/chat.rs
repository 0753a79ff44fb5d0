//! How the chat service treats sources, documents and prompts.

use super::{Kind, Section, SettingDoc};
use crate::Role;

const fn setting(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> SettingDoc {
    SettingDoc::new(name, Section::Aggregator, kind, default, doc).only(&[Role::AllInOne, Role::Aggregator])
}

pub(super) const SETTINGS: &[SettingDoc] = &[
    setting(
        "AGGREGATOR_MAX_CALLS_PER_OWNER",
        Kind::Integer { min: 1, max: 512 },
        "64",
        "Calls under way at once to the data sources of one owner at one address. More wait for their turn, which \
         counts against AGGREGATOR_RETRIEVAL_TIMEOUT.",
    ),
    setting(
        "AGGREGATOR_BREAKER_FAILURES",
        Kind::Integer { min: 0, max: 1000 },
        "5",
        "Failures in a row (no connection, no answer in time, 5xx) after which an endpoint is left alone for a \
         while; 0 never stops asking.",
    ),
    setting(
        "AGGREGATOR_BREAKER_PAUSE",
        Kind::Seconds { min: 1, max: 3600 },
        "30",
        "How long such an endpoint is left alone, in seconds; then one request tries it. Doubles with every try that \
         fails, up to eight times as long.",
    ),
    setting(
        "AGGREGATOR_STRAGGLER_WAIT",
        Kind::Seconds { min: 1, max: 3600 },
        "2",
        "How long a question waits, in seconds, for a data source that usually answers sooner, once another one has \
         found something. A source gets four times its own slowest recent answer if that is longer, and one that has not \
         answered in the last ten minutes the whole AGGREGATOR_RETRIEVAL_TIMEOUT.",
    ),
    setting(
        "AGGREGATOR_MASK_SECRETS",
        Kind::Flag,
        "true",
        "Mask private keys, access keys, tokens and passwords in retrieved text before a model or a caller sees it.",
    ),
    setting(
        "AGGREGATOR_CONTEXT_TOKENS",
        Kind::Integer { min: 2000, max: 2_000_000 },
        "32000",
        "Tokens that system text, history, documents, question and answer may take together. They are estimated \
         from the text, rather too high than too low; documents and history are cut to fit.",
    ),
    setting(
        "AGGREGATOR_RERANK_URL",
        Kind::Url,
        "",
        "A service that ranks documents, for example `http://tei:80/rerank` or `https://api.cohere.com/v2/rerank`. \
         Without it, or when it fails, the built-in ranking counts.",
    ),
    setting(
        "AGGREGATOR_RERANK_API_KEY",
        Kind::Text,
        "",
        "Key for AGGREGATOR_RERANK_URL, sent as a bearer token.",
    )
    .secret(),
    setting(
        "AGGREGATOR_RERANK_MODEL",
        Kind::Text,
        "",
        "Model that AGGREGATOR_RERANK_URL ranks with; services with one model need none.",
    ),
    setting(
        "AGGREGATOR_RERANK_TIMEOUT",
        Kind::Seconds { min: 1, max: 60 },
        "2",
        "Longest wait for AGGREGATOR_RERANK_URL, in seconds.",
    ),
];
