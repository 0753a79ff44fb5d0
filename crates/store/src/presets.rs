//! Presets: a model, data sources and parameters under one name of their owner.
//!
//! The name is taken in `published_names`, which endpoints and presets share. Whoever adds or changes a preset
//! calls [`crate::users::lock`] first.

use syfthub_domain::{Slug, Timestamp, UserId, Username, Visibility};

use crate::column::{SqlTime, row};
use crate::db::{affected, on};
use crate::{Error, Page, Reads, Result, Tx, endpoints};

/// An owner does not have two presets of one name.
const UNIQUE_SLUG: &str = "presets_user_id_slug_key";

row! {
    /// A row of `presets` with the name of its owner.
    #[derive(Debug, Clone, PartialEq)]
    pub struct PresetRow {
        /// The owner.
        pub user_id: UserId,
        /// The owner's name.
        pub owner_username: Username,
        /// Whether the owner's account may be used.
        pub owner_is_active: bool,
        /// Second half of `owner/slug`; never changes.
        pub slug: Slug,
        /// Name for people.
        pub name: String,
        /// A few words.
        pub description: String,
        /// The model, `owner/slug`.
        pub model: String,
        /// The data sources, `owner/slug` each.
        pub sources: Vec<String>,
        /// What the model is told first.
        pub system_prompt: Option<String>,
        /// Documents that are kept.
        pub top_k: Option<i64>,
        /// Longest answer, in tokens.
        pub max_tokens: Option<i64>,
        /// How freely the model chooses.
        pub temperature: Option<f64>,
        /// How similar documents must be.
        pub similarity_threshold: Option<f64>,
        /// Who may see it: everybody, or its owner.
        pub visibility: Visibility,
        /// Time of creation.
        pub created_at: Timestamp,
        /// Time of the last change.
        pub updated_at: Timestamp,
    }
}

impl PresetRow {
    /// Whether anybody may see it.
    pub fn is_listed(&self) -> bool {
        self.visibility == Visibility::Public && self.owner_is_active
    }

    /// `owner/slug`.
    pub fn path(&self) -> String {
        format!("{}/{}", self.owner_username, self.slug)
    }

    /// What its owner may change.
    pub fn content(&self) -> PresetContent {
        PresetContent {
            name: self.name.clone(),
            description: self.description.clone(),
            model: self.model.clone(),
            sources: self.sources.clone(),
            system_prompt: self.system_prompt.clone(),
            top_k: self.top_k,
            max_tokens: self.max_tokens,
            temperature: self.temperature,
            similarity_threshold: self.similarity_threshold,
            visibility: self.visibility,
        }
    }
}

/// What a preset says.
#[derive(Debug, Clone, PartialEq)]
pub struct PresetContent {
    /// Name for people.
    pub name: String,
    /// A few words.
    pub description: String,
    /// The model, `owner/slug`.
    pub model: String,
    /// The data sources, `owner/slug` each.
    pub sources: Vec<String>,
    /// What the model is told first.
    pub system_prompt: Option<String>,
    /// Documents that are kept.
    pub top_k: Option<i64>,
    /// Longest answer, in tokens.
    pub max_tokens: Option<i64>,
    /// How freely the model chooses.
    pub temperature: Option<f64>,
    /// How similar documents must be.
    pub similarity_threshold: Option<f64>,
    /// Who may see it.
    pub visibility: Visibility,
}

/// Whether the store refused a preset because the owner has something under its name.
pub fn is_slug_conflict(error: &Error) -> bool {
    error.is_unique(UNIQUE_SLUG) || error.is_unique(endpoints::UNIQUE_NAME)
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT p.user_id, u.username AS owner_username, u.is_active AS owner_is_active, p.slug, p.name, \
             p.description, p.model, p.sources, p.system_prompt, p.top_k, p.max_tokens, p.temperature, \
             p.similarity_threshold, p.visibility, p.created_at, p.updated_at \
             FROM presets p JOIN users u ON u.id = p.user_id ",
            $rest
        )
    };
}

/// Adds a preset and takes its name. Fails with a conflict ([`is_slug_conflict`]) when the owner has something,
/// preset or endpoint, under that name.
pub async fn insert(
    tx: &mut Tx,
    owner: UserId,
    slug: &Slug,
    new: &PresetContent,
    now: Timestamp,
) -> Result<()> {
    const NAME: &str = "INSERT INTO published_names (owner_id, name, kind) VALUES ($1, $2, 'preset')";
    const SQL: &str = "INSERT INTO presets (user_id, slug, name, description, model, sources, system_prompt, top_k, \
        max_tokens, temperature, similarity_threshold, visibility, created_at, updated_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)";
    affected!(tx.held(), sqlx::query(NAME).bind(owner.0).bind(slug.as_str()))?;
    write(tx, SQL, owner, slug, new, now).await.map(drop)
}

/// Writes what a preset says anew. `false` when there is none.
pub async fn replace(
    tx: &mut Tx,
    owner: UserId,
    slug: &Slug,
    content: &PresetContent,
    now: Timestamp,
) -> Result<bool> {
    const SQL: &str = "UPDATE presets SET name = $3, description = $4, model = $5, sources = $6, system_prompt = $7, \
        top_k = $8, max_tokens = $9, temperature = $10, similarity_threshold = $11, visibility = $12, \
        updated_at = $13 WHERE user_id = $1 AND slug = $2";
    write(tx, SQL, owner, slug, content, now).await.map(|rows| rows > 0)
}

async fn write(
    tx: &mut Tx,
    sql: &'static str,
    owner: UserId,
    slug: &Slug,
    content: &PresetContent,
    now: Timestamp,
) -> Result<u64> {
    affected!(
        tx.held(),
        sqlx::query(sql)
            .bind(owner.0)
            .bind(slug.as_str())
            .bind(&content.name)
            .bind(&content.description)
            .bind(&content.model)
            .bind(crate::json(&content.sources))
            .bind(content.system_prompt.as_deref())
            .bind(content.top_k)
            .bind(content.max_tokens)
            .bind(content.temperature)
            .bind(content.similarity_threshold)
            .bind(content.visibility.as_str())
            .bind(SqlTime(now))
    )
}

/// The preset at `owner/slug`, whoever may see it. Both are compared as they are kept, in lower case.
pub async fn find(from: impl Reads, owner: &str, slug: &str) -> Result<Option<PresetRow>> {
    const SQL: &str = select!("WHERE u.username = $1 AND p.slug = $2");
    on!(from.source().conn().await?, c => sqlx::query_as::<_, PresetRow>(SQL).bind(owner).bind(slug).fetch_optional(c))
}

/// A page of an owner's presets, newest first.
pub async fn list_by_owner(from: impl Reads, owner: UserId, page: Page) -> Result<Vec<PresetRow>> {
    const SQL: &str = select!("WHERE p.user_id = $1 ORDER BY p.created_at DESC, p.slug LIMIT $2 OFFSET $3");
    on!(from.source().conn().await?, c => sqlx::query_as::<_, PresetRow>(SQL)
        .bind(owner.0).bind(i64::from(page.limit)).bind(i64::from(page.skip)).fetch_all(c))
}

/// How many presets an owner has.
pub async fn count_by_owner(from: impl Reads, owner: UserId) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) FROM presets WHERE user_id = $1";
    on!(from.source().conn().await?, c => sqlx::query_scalar::<_, i64>(SQL).bind(owner.0).fetch_one(c))
}

/// What is public, and what is the viewer's own, each as far as the page goes and each in the order of an index; one
/// condition for both would have all presets sorted for every page.
pub(crate) const VISIBLE: &str = concat!(
    "SELECT * FROM (SELECT * FROM (",
    select!(
        "WHERE p.visibility = 'public' AND u.is_active = TRUE \
         AND (CAST($1 AS BIGINT) IS NULL OR p.user_id <> CAST($1 AS BIGINT)) \
         ORDER BY p.created_at DESC, p.user_id, p.slug LIMIT $4"
    ),
    ") AS listed UNION ALL SELECT * FROM (",
    select!("WHERE p.user_id = CAST($1 AS BIGINT) ORDER BY p.created_at DESC, p.slug LIMIT $4"),
    ") AS own) AS visible ORDER BY created_at DESC, user_id, slug LIMIT $2 OFFSET $3"
);

/// A page of what this viewer may see, newest first: the public presets of active owners, and their own.
pub async fn list_visible(from: impl Reads, viewer: Option<UserId>, page: Page) -> Result<Vec<PresetRow>> {
    let end = i64::from(page.skip) + i64::from(page.limit);
    on!(from.source().conn().await?, c => sqlx::query_as::<_, PresetRow>(VISIBLE)
        .bind(viewer.map(|id| id.0)).bind(i64::from(page.limit)).bind(i64::from(page.skip)).bind(end).fetch_all(c))
}

/// How many presets [`list_visible`] has on all pages.
pub async fn count_visible(from: impl Reads, viewer: Option<UserId>) -> Result<i64> {
    const SQL: &str = "SELECT (SELECT COUNT(*) FROM presets p JOIN users u ON u.id = p.user_id \
          WHERE p.visibility = 'public' AND u.is_active = TRUE) \
        + (SELECT COUNT(*) FROM presets p JOIN users u ON u.id = p.user_id \
          WHERE p.user_id = CAST($1 AS BIGINT) AND NOT (p.visibility = 'public' AND u.is_active = TRUE))";
    on!(from.source().conn().await?, c => sqlx::query_scalar::<_, i64>(SQL).bind(viewer.map(|id| id.0)).fetch_one(c))
}

/// Removes a preset and frees its name. `false` when there was none.
pub async fn delete(tx: &mut Tx, owner: UserId, slug: &Slug) -> Result<bool> {
    const NAME: &str = "DELETE FROM published_names WHERE kind = 'preset' AND owner_id = $1 AND name = $2";
    const SQL: &str = "DELETE FROM presets WHERE user_id = $1 AND slug = $2";
    affected!(tx.held(), sqlx::query(NAME).bind(owner.0).bind(slug.as_str()))?;
    affected!(tx.held(), sqlx::query(SQL).bind(owner.0).bind(slug.as_str())).map(|rows| rows > 0)
}
