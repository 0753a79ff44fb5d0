//! What everybody may browse. Guests get listings that are kept ready; a signed-in viewer's are made for them,
//! because policies differ from person to person.

use serde::Serialize;
use syfthub_auth::Principal;
use syfthub_domain::{EndpointType, Result};
use syfthub_store::Page;
use syfthub_store::endpoints::{self, EndpointWithOwner, GroupedEndpoint, Names, PublicFilter, Sort};
use syfthub_web::etag::Tagged;

use super::wire::{EndpointPublic, Grouped, OwnerGroup, OwnerSummary, Owners};
use super::{Endpoints, mapper};

/// Names of one completion, as the protocol of assistants has it.
const MAX_COMPLETED: u32 = 100;

impl Endpoints {
    /// A page of listed endpoints.
    pub(crate) async fn browse(
        &self,
        viewer: Option<&Principal>,
        filter: &PublicFilter,
        page: Page,
    ) -> Result<Tagged> {
        let make = async {
            let rows = endpoints::list_public(&self.db, filter, page).await?;
            Ok(mapper::public_list(&rows, viewer))
        };
        self.kept_for_guests(viewer, key(filter, page), make).await
    }

    /// The newest few of every owner.
    pub(crate) async fn grouped(&self, viewer: Option<&Principal>, max_per_owner: u32) -> Result<Tagged> {
        let make = async {
            let rows = endpoints::grouped(&self.db, max_per_owner).await?;
            Ok(Grouped { groups: groups(&rows, viewer) })
        };
        self.kept_for_guests(viewer, format!("grouped {max_per_owner}"), make).await
    }

    /// Who has published how much.
    pub(crate) async fn owners(&self, page: Page) -> Result<Tagged> {
        let make = async {
            let rows = endpoints::list_owners(&self.db, page).await?;
            let owners = rows.into_iter().map(|row| OwnerSummary {
                username: row.username.into_string(),
                endpoint_count: row.endpoint_count,
                model_count: row.model_count,
                data_source_count: row.data_source_count,
            });
            let owners = owners.collect();
            Ok(Owners { owners, total_count: endpoints::count_owners(&self.db).await? })
        };
        self.kept_for_guests(None, format!("owners {} {}", page.skip, page.limit), make).await
    }

    /// A page of listed endpoints as rows, and how many there are in all.
    pub(crate) async fn browse_rows(
        &self,
        kind: Option<EndpointType>,
        page: Page,
    ) -> Result<(Vec<EndpointWithOwner>, i64)> {
        let filter = PublicFilter { kind, ..PublicFilter::default() };
        let rows = endpoints::list_public(&self.db, &filter, page).await?;
        Ok((rows, endpoints::count_public(&self.db, &filter).await?))
    }

    /// Owners, or with `owner` slugs (of everybody when it is empty), that begin so, and whether there are more. A
    /// viewer's own endpoints are among them.
    pub(crate) async fn names(
        &self,
        viewer: Option<&Principal>,
        owner: Option<&str>,
        prefix: &str,
    ) -> Result<(Vec<String>, bool)> {
        let names = match owner {
            None => Names::Owners,
            Some(owner) => Names::Slugs(Some(owner).filter(|owner| !owner.is_empty())),
        };
        let viewer = viewer.map(|viewer| viewer.user_id);
        let prefix = prefix.trim().to_lowercase();
        let mut found = endpoints::complete(&self.db, names, &prefix, viewer, MAX_COMPLETED + 1).await?;
        let has_more = found.len() > MAX_COMPLETED as usize;
        found.truncate(MAX_COMPLETED as usize);
        Ok((found, has_more))
    }

    async fn kept_for_guests<T: Serialize>(
        &self,
        viewer: Option<&Principal>,
        key: String,
        make: impl Future<Output = Result<T>>,
    ) -> Result<Tagged> {
        match viewer {
            None => self.listings.get(key, make).await,
            Some(_) => Tagged::new(&make.await?),
        }
    }
}

fn key(filter: &PublicFilter, page: Page) -> String {
    let PublicFilter { kind, search, owner, min_stars, guest_accessible, sort } = filter;
    let sort = match sort {
        Sort::Updated => "updated",
        Sort::Stars => "stars",
    };
    format!(
        "public {kind:?} {search:?} {owner:?} {min_stars:?} {guest_accessible} {sort} {} {}",
        page.skip, page.limit
    )
}

/// Rows of one owner follow one another.
fn groups(rows: &[GroupedEndpoint], viewer: Option<&Principal>) -> Vec<OwnerGroup> {
    rows.chunk_by(|a, b| a.item.owner_username == b.item.owner_username)
        .filter_map(|rows| {
            let first = rows.first()?;
            let endpoints: Vec<EndpointPublic> =
                rows.iter().map(|row| mapper::public(&row.item, viewer)).collect();
            let shown = i64::try_from(endpoints.len()).unwrap_or(i64::MAX);
            Some(OwnerGroup {
                owner_username: first.item.owner_username.as_str().to_owned(),
                endpoints,
                total_count: first.owner_total,
                has_more: first.owner_total > shown,
            })
        })
        .collect()
}
