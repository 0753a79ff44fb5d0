//! What clients send about presets, checked. Every failing field is reported in one answer.

use serde_json::Value;
use syfthub_domain::{Result, Slug, Visibility};
use syfthub_store::presets::PresetContent;
use syfthub_web::Fields;
use syfthub_web::fields::Patch;

/// Most data sources of a preset; as many as a question may have.
pub(crate) const MAX_SOURCES: usize = 10;
/// Longest system prompt, in characters.
const MAX_SYSTEM_PROMPT: usize = 20_000;
/// Longest path.
const MAX_PATH: usize = 114;
/// Most documents that a question keeps.
const MAX_TOP_K: i64 = 20;
/// Greatest number of tokens of an answer.
const MAX_TOKENS: i64 = 4_294_967_295;

/// Who may see a preset; there is no third.
#[derive(Debug, Clone, Copy)]
struct Audience(Visibility);

impl std::str::FromStr for Audience {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "public" => Ok(Self(Visibility::Public)),
            "private" => Ok(Self(Visibility::Private)),
            _ => Err(()),
        }
    }
}

/// A new preset.
#[derive(Debug, Clone)]
pub(crate) struct Create {
    pub(crate) slug: Option<Slug>,
    pub(crate) content: PresetContent,
}

/// What changes; absent fields stay as they are, and what is null is cleared where it may be.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    name: Option<String>,
    description: Option<String>,
    model: Option<String>,
    sources: Option<Vec<String>>,
    system_prompt: Patch<String>,
    top_k: Patch<i64>,
    max_tokens: Patch<i64>,
    temperature: Patch<f64>,
    similarity_threshold: Patch<f64>,
    visibility: Option<Visibility>,
}

impl Change {
    /// The content after the change.
    pub(crate) fn apply(self, mut content: PresetContent) -> PresetContent {
        fn set<T>(new: Option<T>, to: &mut T) {
            if let Some(new) = new {
                *to = new;
            }
        }
        set(self.name, &mut content.name);
        set(self.description, &mut content.description);
        set(self.model, &mut content.model);
        set(self.sources, &mut content.sources);
        set(self.visibility, &mut content.visibility);
        self.system_prompt.apply(&mut content.system_prompt);
        self.top_k.apply(&mut content.top_k);
        self.max_tokens.apply(&mut content.max_tokens);
        self.temperature.apply(&mut content.temperature);
        self.similarity_threshold.apply(&mut content.similarity_threshold);
        content
    }
}

/// Reads the body of a creation.
pub(crate) fn create(body: Value) -> Result<Create> {
    let mut fields = Fields::body(body)?;
    let name = fields.string("name").length(1, 100).required();
    let model = fields.string("model").length(3, MAX_PATH).rule(|text| check_path(text)).required();
    let slug = fields.string("slug").name(Slug::parse).optional();
    let rest = rest(&mut fields);
    let valid = fields.finish()?;
    let empty = PresetContent {
        name: name.take(&valid),
        description: String::new(),
        model: model.take(&valid),
        sources: Vec::new(),
        system_prompt: None,
        top_k: None,
        max_tokens: None,
        temperature: None,
        similarity_threshold: None,
        // Nobody else is told what somebody saves for themself.
        visibility: Visibility::Private,
    };
    Ok(Create { slug, content: rest.apply(empty) })
}

/// Reads the body of a change.
pub(crate) fn change(body: Value) -> Result<Change> {
    let mut fields = Fields::body(body)?;
    let name = fields.string("name").length(1, 100).optional();
    let model = fields.string("model").length(3, MAX_PATH).rule(|text| check_path(text)).optional();
    let rest = rest(&mut fields);
    fields.finish()?;
    Ok(Change { name, model, ..rest })
}

fn rest(fields: &mut Fields) -> Change {
    let visibility = fields.string("visibility").choice::<Audience>(&["public", "private"]).optional();
    let description = fields.string("description").length(0, 500).optional();
    let sources = fields.strings("sources").items(0, MAX_SOURCES).rule(|paths| check_sources(paths));
    Change {
        name: None,
        model: None,
        sources: sources.optional().map(without_repetitions),
        description,
        system_prompt: fields.string("system_prompt").length(0, MAX_SYSTEM_PROMPT).patch(),
        top_k: fields.int("top_k").range(1, MAX_TOP_K).patch(),
        max_tokens: fields.int("max_tokens").range(1, MAX_TOKENS).patch(),
        temperature: fields.float("temperature").range(0.0, 2.0).patch(),
        similarity_threshold: fields.float("similarity_threshold").range(0.0, 1.0).patch(),
        visibility: visibility.map(|Audience(visibility)| visibility),
    }
}

/// Whether a text has the form `owner/slug`. Whether there is something is asked when the preset is used.
fn check_path(text: &str) -> Result<(), String> {
    let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = text.split_once('/').is_some_and(|(owner, slug)| {
        (1..=50).contains(&owner.len())
            && (1..=63).contains(&slug.len())
            && owner.chars().all(|c| lower(c) || c == '_')
            && slug.chars().all(lower)
    });
    if good { Ok(()) } else { Err("an endpoint is named as owner/slug, in lower case".to_owned()) }
}

fn check_sources(paths: &[String]) -> Result<(), String> {
    for (index, path) in paths.iter().enumerate() {
        check_path(path).map_err(|why| format!("source {}: {why}", index + 1))?;
    }
    Ok(())
}

fn without_repetitions(paths: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::with_capacity(paths.len());
    for path in paths {
        if !kept.contains(&path) {
            kept.push(path);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_two_halves_in_lower_case() {
        for good in ["ada/notes", "a_b-1/x", "collective/open-data"] {
            assert_eq!(check_path(good), Ok(()), "{good}");
        }
        for bad in ["ada", "/x", "ada/", "a/b/c", "Ada/x", "ada/x y", "ada/n_o"] {
            assert!(check_path(bad).is_err(), "{bad}");
        }
    }
}
