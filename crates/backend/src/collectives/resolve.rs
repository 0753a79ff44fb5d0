//! What stands behind the path of a collective: which endpoints, and what they cost.

use syfthub_auth::Principal;
use syfthub_domain::{ALL_SHARED, Error, Result, SharedEndpointId};
use syfthub_store::collectives::{self, ApprovedMember, CollectiveRow};

use super::wire::{BilledMember, BillingKind, BillingSummary};
use super::{Collectives, billing, permissions};
use crate::endpoints::{mapper, policies, visibility};

impl Collectives {
    /// `owner/slug` of the approved members that the viewer sees; of all, or of one shared endpoint's.
    pub(super) async fn paths(
        &self,
        slug: &str,
        shared: Option<&str>,
        viewer: Option<&Principal>,
    ) -> Result<Vec<String>> {
        let collective = self.by_slug(slug).await?;
        let shared = self.narrowed(&collective, shared).await?;
        let sight = permissions::sight(viewer);
        let paths = collectives::paths(&self.db, collective.id, shared, sight).await?;
        Ok(paths.iter().map(ToString::to_string).collect())
    }

    /// What the same members cost the viewer.
    pub(super) async fn billing_summary(
        &self,
        slug: &str,
        shared: Option<&str>,
        viewer: &Principal,
    ) -> Result<BillingSummary> {
        let collective = self.by_slug(slug).await?;
        let shared = self.narrowed(&collective, shared).await?;
        let sight = permissions::sight(Some(viewer));
        let rows = collectives::approved(&self.db, collective.id, shared, sight).await?;
        let members: Vec<BilledMember> = rows.into_iter().map(|row| billed(row, viewer)).collect();
        let count = |kind| members.iter().filter(|member| member.billing.kind == kind).count();
        Ok(BillingSummary {
            estimated_price: billing::estimate(members.iter().map(|member| &member.billing)),
            free_count: count(BillingKind::Free),
            prepaid_count: count(BillingKind::Prepaid),
            mpp_count: count(BillingKind::Mpp),
            members,
        })
    }

    /// The shared endpoint that narrows a collective; none for all of it.
    async fn narrowed(
        &self,
        collective: &CollectiveRow,
        shared: Option<&str>,
    ) -> Result<Option<SharedEndpointId>> {
        let Some(slug) = shared.map(str::to_lowercase).filter(|slug| slug != ALL_SHARED) else {
            return Ok(None);
        };
        let row = collectives::find_shared(&self.db, collective.id, &slug).await?;
        row.map(|row| Some(row.id)).ok_or_else(|| Error::not_found("Shared endpoint not found"))
    }
}

/// A member with what the viewer pays: policies differ from person to person.
fn billed(row: ApprovedMember, viewer: &Principal) -> BilledMember {
    let audience = visibility::audience_of(row.owner_id, Some(viewer));
    let shown = policies::personalize(mapper::items(&row.policies), audience);
    let billing = billing::classify(&shown);
    BilledMember::new(row, billing)
}
