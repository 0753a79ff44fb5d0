//! The same rows as the hub's own routes, read by the least code that could: axum, sqlx, and one query each.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, header};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};
use sqlx::postgres::{PgPoolOptions, PgRow};
use sqlx::{PgPool, Row as _};

/// Key of the tokens that the bare handler verifies.
pub(crate) const JWT_KEY: &[u8] = b"bench-key-of-the-bare-handler-32";
/// Columns that the hub's listings show.
macro_rules! columns {
    () => {
        "SELECT e.name, e.slug, e.description, u.username, e.stars_count, e.type, e.version, e.readme, e.policies, \
         e.connect, e.created_at::text, e.updated_at::text, u.domain, \
         COALESCE((SELECT string_agg(t.tag, ',' ORDER BY t.position) FROM endpoint_tags t WHERE t.endpoint_id = e.id), '') \
         FROM endpoints e JOIN users u ON u.id = e.user_id WHERE e.visibility = 'public' AND e.is_active = TRUE \
         AND e.admin_disabled = FALSE AND u.is_active = TRUE "
    };
}

/// The routes, on a pool of the size that the hub has.
pub(crate) async fn routes(url: &str) -> anyhow::Result<Router> {
    let pool = PgPoolOptions::new().max_connections(20).connect(url).await?;
    Ok(Router::new()
        .route("/listing", get(listing))
        .route("/owner/{owner}", get(owner))
        .route("/one/{owner}/{slug}", get(one))
        .route("/me", get(me))
        .route("/me-by-token", get(me_by_token))
        .with_state(Arc::new(pool)))
}

type Answer = Result<Json<Value>, String>;

fn shown(row: &PgRow) -> Value {
    let text = |column: usize| row.get::<Option<String>, _>(column);
    let json = |column: usize| serde_json::from_str::<Value>(row.get::<&str, _>(column)).unwrap_or_default();
    json!({
        "name": text(0), "slug": text(1), "description": text(2), "owner_username": text(3),
        "stars_count": row.get::<i64, _>(4), "type": text(5), "version": text(6), "readme": text(7),
        "policies": json(8), "connect": json(9), "created_at": text(10), "updated_at": text(11), "tags": text(13),
    })
}

async fn listing(State(pool): State<Arc<PgPool>>) -> Answer {
    let sql = concat!(columns!(), "ORDER BY e.updated_at DESC, e.id DESC LIMIT 20");
    let rows = sqlx::query(sql).fetch_all(&*pool).await.map_err(|error| error.to_string())?;
    Ok(Json(rows.iter().map(shown).collect()))
}

async fn owner(State(pool): State<Arc<PgPool>>, Path(owner): Path<String>) -> Answer {
    let sql = concat!(columns!(), "AND u.username = $1 ORDER BY e.updated_at DESC, e.id DESC LIMIT 20");
    let rows = sqlx::query(sql).bind(owner).fetch_all(&*pool).await.map_err(|error| error.to_string())?;
    Ok(Json(rows.iter().map(shown).collect()))
}

async fn one(State(pool): State<Arc<PgPool>>, Path((owner, slug)): Path<(String, String)>) -> Answer {
    let sql = concat!(columns!(), "AND u.username = $1 AND e.slug = $2");
    let row =
        sqlx::query(sql).bind(owner).bind(slug).fetch_one(&*pool).await.map_err(|error| error.to_string())?;
    Ok(Json(shown(&row)))
}

async fn user(pool: &PgPool, id: i64) -> Answer {
    let sql = "SELECT id, username, email, full_name, role, is_active, created_at::text, updated_at::text, bio, domain \
               FROM users WHERE id = $1 AND is_active = TRUE";
    let row = sqlx::query(sql).bind(id).fetch_one(pool).await.map_err(|error| error.to_string())?;
    let text = |column: usize| row.get::<Option<String>, _>(column);
    Ok(Json(json!({
        "id": row.get::<i64, _>(0), "username": text(1), "email": text(2), "full_name": text(3), "role": text(4),
        "is_active": row.get::<bool, _>(5), "created_at": text(6), "updated_at": text(7), "bio": text(8), "domain": text(9),
    })))
}

fn bearer(headers: &HeaderMap) -> Result<&str, String> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    value.and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(|| "no credential".to_owned())
}

async fn me(State(pool): State<Arc<PgPool>>, headers: HeaderMap) -> Answer {
    let key = DecodingKey::from_secret(JWT_KEY);
    let claims = jsonwebtoken::decode::<Value>(bearer(&headers)?, &key, &Validation::new(Algorithm::HS256));
    let claims = claims.map_err(|error| error.to_string())?.claims;
    let id = claims["sub"].as_str().and_then(|sub| sub.parse().ok()).ok_or("no subject")?;
    user(&pool, id).await
}

async fn me_by_token(State(pool): State<Arc<PgPool>>, headers: HeaderMap) -> Answer {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bearer(&headers)?.as_bytes());
    let hash = hex::encode(hash);
    let sql = "SELECT user_id FROM api_tokens WHERE token_hash = $1 AND is_active = TRUE";
    let id = sqlx::query_scalar(sql).bind(hash).fetch_one(&*pool).await.map_err(|error| error.to_string())?;
    user(&pool, id).await
}
