//! How a column becomes a field: the product's types on both databases, without sqlx's macros.

use serde_json::Value;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgRow, PgTypeInfo, PgValueRef};
use sqlx::sqlite::{SqliteArgumentsBuffer, SqliteRow, SqliteTypeInfo, SqliteValueRef};
use sqlx::{Decode, Encode, Postgres, Row as _, Sqlite, Type};
use syfthub_config::Secret;
use syfthub_domain::{
    AggregatorId, ApiTokenId, AuthProvider, CollectiveId, Email, EndpointId, EndpointType, HealthStatus,
    MembershipStatus, PaymentStatus, Role, Scope, SharedEndpointId, SignInProvider, Slug, SubscriptionId,
    Tag, Timestamp, UserId, Username, Version, Visibility,
};

/// A moment as both databases keep it: `timestamptz` on PostgreSQL, sortable text on SQLite.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SqlTime(pub(crate) Timestamp);

/// Microseconds from the Unix epoch to 2000-01-01, where PostgreSQL starts to count.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

impl Type<Postgres> for SqlTime {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("TIMESTAMPTZ")
    }
}

impl Encode<'_, Postgres> for SqlTime {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <i64 as Encode<'_, Postgres>>::encode(self.0.as_micros().saturating_sub(POSTGRES_EPOCH), buffer)
    }
}

impl Decode<'_, Postgres> for SqlTime {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        let micros = <i64 as Decode<'_, Postgres>>::decode(value)?;
        Ok(Self(Timestamp::from_micros(micros.saturating_add(POSTGRES_EPOCH))))
    }
}

impl Type<Sqlite> for SqlTime {
    fn type_info() -> SqliteTypeInfo {
        <str as Type<Sqlite>>::type_info()
    }
}

impl Encode<'_, Sqlite> for SqlTime {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        <String as Encode<'_, Sqlite>>::encode(self.0.to_sql_text(), buffer)
    }
}

impl Decode<'_, Sqlite> for SqlTime {
    fn decode(value: SqliteValueRef<'_>) -> Result<Self, BoxDynError> {
        let text = <&str as Decode<'_, Sqlite>>::decode(value)?;
        Timestamp::parse(text).map(Self).ok_or_else(|| format!("not a time: {text}").into())
    }
}

/// A field of a row: the type it is kept as, and the way from there.
pub(crate) trait Column: Sized {
    /// What the databases' drivers know.
    type Raw;
    /// From the driver's value to the product's.
    fn from_raw(raw: Self::Raw) -> Result<Self, BoxDynError>;
}

impl<T: Column> Column for Option<T> {
    type Raw = Option<T::Raw>;
    fn from_raw(raw: Self::Raw) -> Result<Self, BoxDynError> {
        raw.map(T::from_raw).transpose()
    }
}

macro_rules! columns {
    ($($ty:ty, $raw:ty, $from:expr;)+) => {
        $(impl Column for $ty {
            type Raw = $raw;
            fn from_raw(raw: $raw) -> Result<Self, BoxDynError> {
                ($from)(raw)
            }
        })+
    };
}

columns! {
    i64, i64, Ok;
    bool, bool, Ok;
    f64, f64, Ok;
    String, String, Ok;
    Vec<u8>, Vec<u8>, Ok;
    Timestamp, SqlTime, |raw: SqlTime| Ok(raw.0);
    UserId, i64, |raw| Ok(Self(raw));
    EndpointId, i64, |raw| Ok(Self(raw));
    ApiTokenId, i64, |raw| Ok(Self(raw));
    CollectiveId, i64, |raw| Ok(Self(raw));
    SharedEndpointId, i64, |raw| Ok(Self(raw));
    AggregatorId, i64, |raw| Ok(Self(raw));
    SubscriptionId, i64, |raw| Ok(Self(raw));
    Username, String, |raw| Ok(Self::from_trusted(raw));
    Email, String, |raw| Ok(Self::from_trusted(raw));
    Slug, String, |raw| Ok(Self::from_trusted(raw));
    Version, String, |raw| Ok(Self::from_trusted(raw));
    Secret, String, |raw: String| Ok(Self::new(raw));
    Role, String, |raw: String| Ok(raw.parse()?);
    AuthProvider, String, |raw: String| Ok(raw.parse()?);
    SignInProvider, String, |raw: String| Ok(raw.parse()?);
    EndpointType, String, |raw: String| Ok(raw.parse()?);
    Visibility, String, |raw: String| Ok(raw.parse()?);
    HealthStatus, String, |raw: String| Ok(raw.parse()?);
    MembershipStatus, String, |raw: String| Ok(raw.parse()?);
    PaymentStatus, String, |raw: String| Ok(raw.parse()?);
    // A JSON list of texts; the lists below are joined by commas.
    Vec<String>, String, |raw: String| Ok(serde_json::from_str(&raw)?);
    Value, String, |raw: String| Ok(serde_json::from_str(&raw)?);
    Vec<Tag>, String, |raw: String| Ok(listed(&raw).map(|tag| Tag::from_trusted(tag.to_owned())).collect());
    Vec<Scope>, String, |raw: String| Ok(listed(&raw).map(str::parse).collect::<Result<_, _>>()?);
    Vec<UserId>, String, |raw: String| Ok(listed(&raw).map(|id| id.parse().map(UserId)).collect::<Result<_, _>>()?);
}

/// The members of a comma separated list.
fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(|part| !part.is_empty())
}

/// Joins the members of a list the way [`listed`] reads them.
pub(crate) fn joined<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    parts.into_iter().collect::<Vec<_>>().join(",")
}

/// Reads one column of a PostgreSQL row.
pub(crate) fn postgres<T: Column>(row: &PgRow, name: &'static str) -> sqlx::Result<T>
where
    T::Raw: for<'r> Decode<'r, Postgres> + Type<Postgres>,
{
    read(name, row.try_get::<T::Raw, _>(name)?)
}

/// Reads one column of an SQLite row.
pub(crate) fn sqlite<T: Column>(row: &SqliteRow, name: &'static str) -> sqlx::Result<T>
where
    T::Raw: for<'r> Decode<'r, Sqlite> + Type<Sqlite>,
{
    read(name, row.try_get::<T::Raw, _>(name)?)
}

fn read<T: Column>(name: &'static str, raw: T::Raw) -> sqlx::Result<T> {
    T::from_raw(raw).map_err(|source| sqlx::Error::ColumnDecode { index: name.to_owned(), source })
}

/// Declares a row: the struct, and how it is read from both databases. `flatten` names fields that are
/// rows themselves and are read from the same result.
macro_rules! row {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident { $($(#[$fmeta:meta])* $fvis:vis $field:ident: $ty:ty,)* }
        $(flatten { $($(#[$imeta:meta])* $ivis:vis $inner:ident: $ity:ty,)+ })?
    ) => {
        $(#[$meta])*
        $vis struct $name {
            $($($(#[$imeta])* $ivis $inner: $ity,)+)?
            $($(#[$fmeta])* $fvis $field: $ty,)*
        }

        impl sqlx::FromRow<'_, sqlx::postgres::PgRow> for $name {
            fn from_row(row: &sqlx::postgres::PgRow) -> sqlx::Result<Self> {
                Ok(Self {
                    $($($inner: sqlx::FromRow::from_row(row)?,)+)?
                    $($field: $crate::column::postgres(row, stringify!($field))?,)*
                })
            }
        }

        impl sqlx::FromRow<'_, sqlx::sqlite::SqliteRow> for $name {
            fn from_row(row: &sqlx::sqlite::SqliteRow) -> sqlx::Result<Self> {
                Ok(Self {
                    $($($inner: sqlx::FromRow::from_row(row)?,)+)?
                    $($field: $crate::column::sqlite(row, stringify!($field))?,)*
                })
            }
        }
    };
}

pub(crate) use row;
