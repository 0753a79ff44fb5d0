//! Collectives: data sources of several owners under one name, their members, and what they share.
//!
//! Whoever changes a membership calls [`lock`] first: two decisions about one collective then follow one another,
//! and each sees what the other left.

mod members;
mod shared;

use syfthub_domain::{CollectiveId, EndpointId, Slug, Tag, Timestamp, UserId};

use crate::column::{SqlTime, joined, row};
use crate::db::{affected, on};
use crate::search::{fold, like_pattern};
use crate::{Page, Reads, Result, Tx};

pub use members::{
    ApprovedMember, Member, Membership, approved, approved_among, count_members, delete_member, find_member,
    members, paths, put_member,
};
pub use shared::{
    NewShared, SharedMember, SharedRow, UNIQUE_SHARED_SLUG, count_shared, delete_shared, find_shared,
    insert_shared, list_shared, save_shared, set_shared_members, shared_members,
};

/// Two collectives never share a slug.
pub const UNIQUE_SLUG: &str = "collectives_slug_key";

/// Through whose eyes members are read. The collective's owner sees all of them, the owner of an endpoint that
/// one, an admin everything, anybody else what is listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sight {
    /// Who looks; nobody is signed in when it is `None`.
    pub viewer: Option<UserId>,
    /// Whether it is an admin.
    pub is_admin: bool,
}

row! {
    /// A row of `collectives` with what is counted about it.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct CollectiveRow {
        /// Row id, never reused.
        pub id: CollectiveId,
        /// Who runs it.
        pub owner_id: UserId,
        /// Name for people.
        pub name: String,
        /// Second half of `collective/slug`.
        pub slug: Slug,
        /// A few words.
        pub description: String,
        /// Long text, Markdown.
        pub about: String,
        /// Whether who asks to join belongs to it at once.
        pub auto_approve: bool,
        /// Picture, an address.
        pub icon_url: Option<String>,
        /// Tags in the owner's order.
        pub tags: Vec<Tag>,
        /// Whether the hub's operator vouches for it.
        pub verified: bool,
        /// How many approved members it has.
        pub member_count: i64,
        /// How many owners these have.
        pub owner_count: i64,
        /// Time of creation.
        pub created_at: Timestamp,
        /// Time of the owner's last change.
        pub updated_at: Timestamp,
    }
}

/// A collective to be made.
#[derive(Debug, Clone)]
pub struct NewCollective {
    /// Who runs it.
    pub owner_id: UserId,
    /// Name for people.
    pub name: String,
    /// Second half of `collective/slug`.
    pub slug: Slug,
    /// A few words.
    pub description: String,
    /// Long text, Markdown.
    pub about: String,
    /// Whether who asks to join belongs to it at once.
    pub auto_approve: bool,
    /// Picture, an address.
    pub icon_url: Option<String>,
    /// Tags, without duplicates.
    pub tags: Vec<Tag>,
}

/// Which collectives are wanted.
#[derive(Debug, Clone, Default)]
pub struct CollectiveFilter {
    /// Of this owner.
    pub owner: Option<UserId>,
    /// With this text in name, description or tags, whatever its case and accents.
    pub search: Option<String>,
}

/// Columns of [`CollectiveRow`]; `c` is the collective.
macro_rules! columns {
    () => {
        "c.id, c.owner_id, c.name, c.slug, c.description, c.about, c.auto_approve, c.icon_url, c.tags, c.verified, \
         (SELECT COUNT(*) FROM collective_members m WHERE m.collective_id = c.id AND m.status = 'approved') \
             AS member_count, \
         (SELECT COUNT(DISTINCT e.user_id) FROM collective_members m JOIN endpoints e ON e.id = m.endpoint_id \
          WHERE m.collective_id = c.id AND m.status = 'approved') AS owner_count, \
         c.created_at, c.updated_at"
    };
}

/// What a viewer sees of members, on the parameters `is_admin` and `viewer`; `c` is the collective, `e` the
/// endpoint, `u` its owner. Unknown (no viewer) counts as no.
macro_rules! visible {
    ($admin:literal, $viewer:literal) => {
        concat!(
            " COALESCE(",
            $admin,
            " OR c.owner_id = ",
            $viewer,
            " OR e.user_id = ",
            $viewer,
            " OR (",
            crate::endpoints::listed!(),
            "), FALSE) "
        )
    };
}

pub(crate) use visible;

/// Lets no other change to this collective happen until this one ends. `false` when there is no such collective.
pub async fn lock(tx: &mut Tx, id: CollectiveId) -> Result<bool> {
    const SQL: &str = "UPDATE collectives SET owner_id = owner_id WHERE id = $1";
    Ok(affected!(tx.held(), sqlx::query(SQL).bind(id.0))? == 1)
}

/// Makes a collective. Fails with [`UNIQUE_SLUG`].
pub async fn insert(tx: &mut Tx, new: &NewCollective, now: Timestamp) -> Result<CollectiveId> {
    const SQL: &str = "INSERT INTO collectives (owner_id, name, slug, description, about, auto_approve, icon_url, \
        tags, listing_text, created_at, updated_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) RETURNING id";
    on!(tx.held(), c => sqlx::query_scalar::<_, i64>(SQL)
        .bind(new.owner_id.0)
        .bind(&new.name)
        .bind(new.slug.as_str())
        .bind(&new.description)
        .bind(&new.about)
        .bind(new.auto_approve)
        .bind(new.icon_url.as_deref())
        .bind(tags(&new.tags))
        .bind(listing_text(&new.name, &new.description, &new.tags))
        .bind(SqlTime(now))
        .fetch_one(c))
    .map(CollectiveId)
}

/// Writes what an owner may change of a collective that was read under [`lock`].
pub async fn save(tx: &mut Tx, row: &CollectiveRow, now: Timestamp) -> Result<()> {
    const SQL: &str = "UPDATE collectives SET name = $2, description = $3, about = $4, auto_approve = $5, \
        icon_url = $6, tags = $7, listing_text = $8, updated_at = $9 WHERE id = $1";
    affected!(
        tx.held(),
        sqlx::query(SQL)
            .bind(row.id.0)
            .bind(&row.name)
            .bind(&row.description)
            .bind(&row.about)
            .bind(row.auto_approve)
            .bind(row.icon_url.as_deref())
            .bind(tags(&row.tags))
            .bind(listing_text(&row.name, &row.description, &row.tags))
            .bind(SqlTime(now))
    )?;
    Ok(())
}

/// Removes a collective with everything in it. `false` when there was none.
pub async fn delete(tx: &mut Tx, id: CollectiveId) -> Result<bool> {
    const SQL: &str = "DELETE FROM collectives WHERE id = $1";
    Ok(affected!(tx.held(), sqlx::query(SQL).bind(id.0))? == 1)
}

/// The collective with this id.
pub async fn find_by_id(from: impl Reads, id: CollectiveId) -> Result<Option<CollectiveRow>> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM collectives c WHERE c.id = $1");
    on!(from.source().conn().await?, c => sqlx::query_as::<_, CollectiveRow>(SQL).bind(id.0).fetch_optional(c))
}

/// The collective with this slug, in lower case.
pub async fn find_by_slug(from: impl Reads, slug: &str) -> Result<Option<CollectiveRow>> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM collectives c WHERE c.slug = $1");
    on!(from.source().conn().await?, c => sqlx::query_as::<_, CollectiveRow>(SQL).bind(slug).fetch_optional(c))
}

/// A page of collectives, newest first.
pub async fn list(from: impl Reads, filter: &CollectiveFilter, page: Page) -> Result<Vec<CollectiveRow>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM collectives c WHERE ($1 IS NULL OR c.listing_text LIKE $1 ESCAPE '\\') \
         ORDER BY c.created_at DESC, c.id DESC LIMIT $2 OFFSET $3"
    );
    // Apart, so that each is read off its own index.
    const OF_OWNER: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM collectives c WHERE c.owner_id = $4 AND ($1 IS NULL OR c.listing_text LIKE $1 ESCAPE '\\') \
         ORDER BY c.created_at DESC, c.id DESC LIMIT $2 OFFSET $3"
    );
    let search = filter.search.as_deref().map(like_pattern);
    let (limit, skip) = (i64::from(page.limit), i64::from(page.skip));
    let conn = from.source().conn().await?;
    match filter.owner {
        None => {
            on!(conn, c => sqlx::query_as::<_, CollectiveRow>(SQL).bind(search).bind(limit).bind(skip).fetch_all(c))
        }
        Some(owner) => on!(conn, c => sqlx::query_as::<_, CollectiveRow>(OF_OWNER)
            .bind(search).bind(limit).bind(skip).bind(owner.0).fetch_all(c)),
    }
}

/// The collectives that an endpoint belongs to, newest first; at most a hundred.
pub async fn of_endpoint(from: impl Reads, endpoint: EndpointId) -> Result<Vec<CollectiveRow>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM collective_members of JOIN collectives c ON c.id = of.collective_id \
         WHERE of.endpoint_id = $1 AND of.status = 'approved' \
         ORDER BY c.created_at DESC, c.id DESC LIMIT 100"
    );
    on!(from.source().conn().await?, c => sqlx::query_as::<_, CollectiveRow>(SQL).bind(endpoint.0).fetch_all(c))
}

/// How many collectives an account runs.
pub async fn count_by_owner(from: impl Reads, owner: UserId) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) FROM collectives WHERE owner_id = $1";
    on!(from.source().conn().await?, c => sqlx::query_scalar::<_, i64>(SQL).bind(owner.0).fetch_one(c))
}

fn tags(tags: &[Tag]) -> String {
    joined(tags.iter().map(Tag::as_str))
}

fn listing_text(name: &str, description: &str, tags: &[Tag]) -> String {
    fold(&format!("{name}\n{description}\n{}", joined(tags.iter().map(Tag::as_str))))
}
