//! The JSON of presets.

use serde::Serialize;
use syfthub_domain::Timestamp;
use syfthub_store::presets::PresetRow;
use utoipa::ToSchema;

/// A model, data sources and parameters under one name.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Preset {
    /// Whose it is.
    pub owner_username: String,
    /// Second half of `owner/slug`.
    #[schema(example = "research")]
    pub slug: String,
    /// `owner/slug`, the name by which it is used.
    #[schema(example = "ada/research")]
    pub path: String,
    /// Name for people.
    #[schema(example = "Research")]
    pub name: String,
    /// A few words.
    pub description: String,
    /// The model, `owner/slug`.
    #[schema(example = "mia/writer")]
    pub model: String,
    /// The data sources, `owner/slug` each.
    #[schema(example = json!(["ada/my-notes"]))]
    pub sources: Vec<String>,
    /// What the model is told first.
    #[schema(example = "Answer in two sentences.")]
    pub system_prompt: Option<String>,
    /// Documents that are kept in total.
    #[schema(example = 5)]
    pub top_k: Option<i64>,
    /// Longest answer, in tokens.
    #[schema(example = 1024)]
    pub max_tokens: Option<i64>,
    /// How freely the model chooses its words.
    #[schema(example = 0.2)]
    pub temperature: Option<f64>,
    /// How similar documents must be to the question.
    #[schema(example = 0.5)]
    pub similarity_threshold: Option<f64>,
    /// `public` or `private`.
    #[schema(example = "private")]
    pub visibility: &'static str,
    /// When it was saved first.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

impl From<PresetRow> for Preset {
    fn from(row: PresetRow) -> Self {
        Self {
            path: row.path(),
            owner_username: row.owner_username.into_string(),
            slug: row.slug.into_string(),
            name: row.name,
            description: row.description,
            model: row.model,
            sources: row.sources,
            system_prompt: row.system_prompt,
            top_k: row.top_k,
            max_tokens: row.max_tokens,
            temperature: row.temperature,
            similarity_threshold: row.similarity_threshold,
            visibility: row.visibility.as_str(),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Who may see a preset.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a value that is read as text")]
pub(crate) enum PresetVisibility {
    /// Everybody, with all that it says.
    Public,
    /// Its owner and admins.
    Private,
}

/// A new preset.
#[derive(Debug, ToSchema)]
#[schema(example = json!({
    "name": "Research", "slug": "research", "model": "mia/writer", "sources": ["ada/my-notes"],
    "system_prompt": "Answer in two sentences.", "temperature": 0.2
}))]
#[expect(dead_code, reason = "the document's description of a body that is read field by field")]
pub(crate) struct NewPreset {
    /// Name for people.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// Second half of `owner/slug`; never changes. Derived from the name if not given. An owner's endpoints and
    /// presets share their names. Some words are reserved.
    #[schema(min_length = 3, max_length = 63, pattern = "^[a-z0-9]+(-[a-z0-9]+)*$")]
    slug: Option<String>,
    /// A few words.
    #[schema(max_length = 500)]
    description: Option<String>,
    /// The model, `owner/slug`. It need not exist now.
    #[schema(min_length = 3, max_length = 114, pattern = "^[a-z0-9_-]{1,50}/[a-z0-9-]{1,63}$")]
    model: String,
    /// The data sources, `owner/slug` each; repetitions are dropped.
    #[schema(
        max_items = 10,
        min_length = 3,
        max_length = 114,
        pattern = "^[a-z0-9_-]{1,50}/[a-z0-9-]{1,63}$"
    )]
    sources: Option<Vec<String>>,
    /// What the model is told first.
    #[schema(max_length = 20_000)]
    system_prompt: Option<String>,
    /// Documents that are kept in total.
    #[schema(minimum = 1, maximum = 20)]
    top_k: Option<i64>,
    /// Longest answer, in tokens.
    #[schema(minimum = 1, maximum = 4_294_967_295_i64)]
    max_tokens: Option<i64>,
    /// How freely the model chooses its words.
    #[schema(minimum = 0, maximum = 2)]
    temperature: Option<f64>,
    /// How similar documents must be to the question.
    #[schema(minimum = 0, maximum = 1)]
    similarity_threshold: Option<f64>,
    /// Who may see it; nobody else if nothing is said.
    visibility: Option<PresetVisibility>,
}

/// A change to a preset; what is absent stays as it is. `null` clears the system prompt and the numbers.
#[derive(Debug, ToSchema)]
#[schema(example = json!({"temperature": 0.7, "visibility": "public"}))]
#[expect(dead_code, reason = "the document's description of a body that is read field by field")]
pub(crate) struct PresetChange {
    /// Name for people.
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// A few words.
    #[schema(max_length = 500)]
    description: Option<String>,
    /// The model, `owner/slug`.
    #[schema(min_length = 3, max_length = 114, pattern = "^[a-z0-9_-]{1,50}/[a-z0-9-]{1,63}$")]
    model: Option<String>,
    /// The data sources, all of them; repetitions are dropped.
    #[schema(
        max_items = 10,
        min_length = 3,
        max_length = 114,
        pattern = "^[a-z0-9_-]{1,50}/[a-z0-9-]{1,63}$"
    )]
    sources: Option<Vec<String>>,
    /// What the model is told first.
    #[schema(max_length = 20_000)]
    system_prompt: Option<String>,
    /// Documents that are kept in total.
    #[schema(minimum = 1, maximum = 20)]
    top_k: Option<i64>,
    /// Longest answer, in tokens.
    #[schema(minimum = 1, maximum = 4_294_967_295_i64)]
    max_tokens: Option<i64>,
    /// How freely the model chooses its words.
    #[schema(minimum = 0, maximum = 2)]
    temperature: Option<f64>,
    /// How similar documents must be to the question.
    #[schema(minimum = 0, maximum = 1)]
    similarity_threshold: Option<f64>,
    /// Who may see it.
    visibility: Option<PresetVisibility>,
}
