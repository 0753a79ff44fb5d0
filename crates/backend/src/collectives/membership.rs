//! Asking to join, inviting, deciding, leaving. All of it under the collective's lock: two decisions at once are
//! taken one after the other, and the later one sees what the earlier one left.

use serde_json::json;
use syfthub_auth::Principal;
use syfthub_domain::{
    CollectiveId, Email, EndpointId, EndpointType, Error, ErrorCode, MembershipStatus, Result,
};
use syfthub_store::collectives::{self, CollectiveRow, Member, Membership};
use syfthub_store::endpoints::{self, EndpointWithOwner};
use syfthub_store::{Reads, Tx};

use super::transitions::{self, Step};
use super::{Collectives, found, locked, permissions};
use crate::audit::{self, Origin};
use crate::mail::Message;

/// Most memberships of one collective, in whatever state; a list of them is one answer.
const MAX_MEMBERS: i64 = 1_000;

/// How an invitation names an endpoint.
#[derive(Debug, Clone)]
pub(super) enum Invited {
    /// By id: anything that the inviter may see.
    Id(EndpointId),
    /// By owner and slug: only what is listed.
    Path(String, String),
}

impl Collectives {
    /// The memberships that the viewer sees: all of them for who runs the collective, else approved ones of
    /// endpoints that the viewer may see.
    pub(super) async fn members(
        &self,
        id: CollectiveId,
        status: Option<MembershipStatus>,
        viewer: Option<&Principal>,
    ) -> Result<Vec<Member>> {
        let collective = found(&self.db, id).await?;
        let status = match status {
            status if permissions::runs(&collective, viewer) => status,
            None | Some(MembershipStatus::Approved) => Some(MembershipStatus::Approved),
            Some(_) => {
                let text =
                    "Only the owner of the collective or an admin may see members that are not approved";
                return Err(Error::new(ErrorCode::PermissionDenied, text));
            }
        };
        Ok(collectives::members(&self.db, id, status, permissions::sight(viewer)).await?)
    }

    /// The owner of an endpoint asks to join, or accepts by it.
    pub(super) async fn join(
        &self,
        caller: &Principal,
        id: CollectiveId,
        endpoint: EndpointId,
        origin: &Origin,
    ) -> Result<Member> {
        let mut tx = self.db.begin().await?;
        let collective = locked(&mut tx, id).await?;
        let item = nameable(endpoints::find_by_id(&mut tx, endpoint).await?, caller)?;
        permissions::may_bring(&item, caller)?;
        can_be_member(&item)?;
        let before = collectives::find_member(&mut tx, id, endpoint).await?;
        let step = transitions::join(before.as_ref().map(|row| row.status), collective.auto_approve);
        let change =
            Decision { collective: &collective, item: &item, before, action: "collective.member.requested" };
        let member = self.take(&mut tx, change, step, None, origin).await?;
        tx.commit().await?;
        log(&member, caller);
        Ok(member)
    }

    /// The owner of the collective asks an endpoint to join, or approves by it. Whoever owns the endpoint gets a
    /// mail, if mail is on and it is somebody else.
    pub(super) async fn invite(
        &self,
        caller: &Principal,
        id: CollectiveId,
        invited: Invited,
        origin: &Origin,
    ) -> Result<Member> {
        let mut tx = self.db.begin().await?;
        let collective = locked(&mut tx, id).await?;
        permissions::may_decide(&collective, caller)?;
        let item = match invited {
            Invited::Id(endpoint) => nameable(endpoints::find_by_id(&mut tx, endpoint).await?, caller)?,
            Invited::Path(owner, slug) => {
                let item = endpoints::find_by_owner_and_slug(&mut tx, &owner, &slug).await?;
                item.filter(EndpointWithOwner::is_listed).ok_or_else(unknown_endpoint)?
            }
        };
        can_be_member(&item)?;
        let before = collectives::find_member(&mut tx, id, item.endpoint.id).await?;
        let step = transitions::invite(before.as_ref().map(|row| row.status));
        let change =
            Decision { collective: &collective, item: &item, before, action: "collective.member.invited" };
        let member = self.take(&mut tx, change, step, Some(caller), origin).await?;
        if member.status == MembershipStatus::Invited && item.endpoint.user_id != caller.user_id {
            let message = Message::CollectiveInvitation {
                inviter: caller.full_name.clone(),
                collective: collective.name.clone(),
                endpoint: item.path(),
            };
            self.mail.enqueue(&mut tx, &Email::from_trusted(item.owner_email.clone()), message).await?;
        }
        tx.commit().await?;
        log(&member, caller);
        Ok(member)
    }

    /// One membership, for either side.
    pub(super) async fn invitation(
        &self,
        caller: &Principal,
        id: CollectiveId,
        endpoint: EndpointId,
    ) -> Result<Member> {
        let collective = found(&self.db, id).await?;
        let member = member(&self.db, id, endpoint).await?;
        permissions::may_read(&collective, &member, caller)?;
        Ok(member)
    }

    /// The owner of the collective answers a request.
    pub(super) async fn review(
        &self,
        caller: &Principal,
        id: CollectiveId,
        endpoint: EndpointId,
        approve: bool,
        origin: &Origin,
    ) -> Result<Member> {
        let mut tx = self.db.begin().await?;
        let collective = locked(&mut tx, id).await?;
        permissions::may_decide(&collective, caller)?;
        let before = member(&mut tx, id, endpoint).await?;
        let status = transitions::review(before.status, approve).map_err(conflict)?;
        let after = Membership {
            status,
            responded_at: Some(self.clock.now()),
            reviewed_by_user_id: Some(caller.user_id),
            ..of(&before)
        };
        let action = if approve { "collective.member.approved" } else { "collective.member.rejected" };
        self.decide(tx, &collective, before, &after, action, origin)
            .await
            .inspect(|member| log(member, caller))
    }

    /// The owner of the endpoint answers an invitation.
    pub(super) async fn respond(
        &self,
        caller: &Principal,
        id: CollectiveId,
        endpoint: EndpointId,
        accept: bool,
        origin: &Origin,
    ) -> Result<Member> {
        let mut tx = self.db.begin().await?;
        let collective = locked(&mut tx, id).await?;
        let before = member(&mut tx, id, endpoint).await?;
        permissions::may_respond(&before, caller)?;
        let status = transitions::respond(before.status, accept).map_err(conflict)?;
        let after = Membership { status, responded_at: Some(self.clock.now()), ..of(&before) };
        let action = if accept { "collective.member.accepted" } else { "collective.member.declined" };
        self.decide(tx, &collective, before, &after, action, origin)
            .await
            .inspect(|member| log(member, caller))
    }

    /// Either side ends a membership, or takes back what it asked.
    pub(super) async fn leave(
        &self,
        caller: &Principal,
        id: CollectiveId,
        endpoint: EndpointId,
        origin: &Origin,
    ) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let collective = locked(&mut tx, id).await?;
        let before = member(&mut tx, id, endpoint).await?;
        permissions::may_end(&collective, &before, caller)?;
        collectives::delete_member(&mut tx, id, endpoint).await?;
        let target = target(&collective, &before);
        let mut entry =
            origin.entry(self.clock.now(), "collective.member.removed", "collective_member", target);
        entry.before = Some(json!({"status": before.status}));
        audit::record(&mut tx, &entry).await?;
        tx.commit().await?;
        tracing::info!(target: "syfthub.api.collectives", collective_id = id.0, endpoint_id = endpoint.0,
            user_id = caller.user_id.0, "collective.member.removed");
        Ok(())
    }

    /// Takes one step of asking or inviting. `reviewer` decides for the collective.
    async fn take(
        &self,
        tx: &mut Tx,
        decision: Decision<'_>,
        step: Step,
        reviewer: Option<&Principal>,
        origin: &Origin,
    ) -> Result<Member> {
        let Decision { collective, item, before, action } = decision;
        let (now, endpoint_id) = (self.clock.now(), item.endpoint.id);
        let reviewed_by_user_id = reviewer.map(|reviewer| reviewer.user_id);
        let after = match (step, &before) {
            (Step::Refuse(why), _) => return Err(conflict(why)),
            (Step::Begin(status), _) => Membership {
                collective_id: collective.id,
                endpoint_id,
                status,
                requested_at: now,
                responded_at: (status == MembershipStatus::Approved).then_some(now),
                reviewed_by_user_id,
            },
            (Step::Grant, Some(row)) => Membership {
                status: MembershipStatus::Approved,
                responded_at: Some(now),
                reviewed_by_user_id: reviewed_by_user_id.or(row.reviewed_by_user_id),
                ..of(row)
            },
            (Step::Stay | Step::Grant, _) => return member(tx, collective.id, endpoint_id).await,
        };
        if before.is_none() && collectives::count_members(&mut *tx, collective.id).await? >= MAX_MEMBERS {
            let text = format!("A collective has at most {MAX_MEMBERS} members and open requests");
            return Err(Error::new(ErrorCode::BadRequest, text));
        }
        write(
            tx,
            collective,
            before.as_ref(),
            &after,
            &mut origin.entry(now, action, "collective_member", ""),
        )
        .await
    }

    /// Writes a decision and ends the change.
    async fn decide(
        &self,
        mut tx: Tx,
        collective: &CollectiveRow,
        before: Member,
        after: &Membership,
        action: &'static str,
        origin: &Origin,
    ) -> Result<Member> {
        let mut entry = origin.entry(self.clock.now(), action, "collective_member", "");
        let member = write(&mut tx, collective, Some(&before), after, &mut entry).await?;
        tx.commit().await?;
        Ok(member)
    }
}

/// What a step is about.
struct Decision<'a> {
    collective: &'a CollectiveRow,
    item: &'a EndpointWithOwner,
    before: Option<Member>,
    action: &'static str,
}

/// Writes a membership with its audit entry.
async fn write(
    tx: &mut Tx,
    collective: &CollectiveRow,
    before: Option<&Member>,
    after: &Membership,
    entry: &mut syfthub_store::audit::Entry,
) -> Result<Member> {
    collectives::put_member(tx, after).await?;
    let member = member(&mut *tx, after.collective_id, after.endpoint_id).await?;
    entry.target = target(collective, &member);
    entry.before = before.map(|row| json!({"status": row.status}));
    entry.after = Some(json!({"status": member.status}));
    audit::record(tx, entry).await?;
    Ok(member)
}

async fn member(from: impl Reads, collective: CollectiveId, endpoint: EndpointId) -> Result<Member> {
    let row = collectives::find_member(from, collective, endpoint).await?;
    row.ok_or_else(|| Error::not_found("The endpoint neither belongs to the collective nor is about to"))
}

fn of(row: &Member) -> Membership {
    Membership {
        collective_id: row.collective_id,
        endpoint_id: row.endpoint_id,
        status: row.status,
        requested_at: row.requested_at,
        responded_at: row.responded_at,
        reviewed_by_user_id: row.reviewed_by_user_id,
    }
}

fn nameable(item: Option<EndpointWithOwner>, caller: &Principal) -> Result<EndpointWithOwner> {
    item.filter(|item| permissions::may_name(item, caller)).ok_or_else(unknown_endpoint)
}

fn can_be_member(item: &EndpointWithOwner) -> Result<()> {
    let refused = |text: &str| Err(Error::new(ErrorCode::BadRequest, text));
    match item.endpoint.kind {
        _ if item.endpoint.archived => refused("An archived endpoint cannot join a collective"),
        EndpointType::DataSource | EndpointType::ModelDataSource => Ok(()),
        EndpointType::Model | EndpointType::Agent => {
            refused("Only endpoints of type data_source or model_data_source can join a collective")
        }
    }
}

/// Names a membership in the audit log.
fn target(collective: &CollectiveRow, member: &Member) -> String {
    format!("{} {}/{}", collective.slug, member.endpoint_owner_username, member.endpoint_slug)
}

fn unknown_endpoint() -> Error {
    Error::not_found("Endpoint not found")
}

fn conflict(why: &str) -> Error {
    Error::new(ErrorCode::Conflict, why)
}

fn log(member: &Member, caller: &Principal) {
    tracing::info!(target: "syfthub.api.collectives", collective_id = member.collective_id.0,
        endpoint_id = member.endpoint_id.0, user_id = caller.user_id.0, status = member.status.as_str(),
        "collective.member.changed");
}
