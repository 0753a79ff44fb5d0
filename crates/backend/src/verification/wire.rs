//! The JSON of one-time codes.

use serde::Serialize;
use utoipa::ToSchema;

/// A code that came by mail.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub(crate) struct VerifyOtp {
    /// The address that it was sent to.
    #[schema(format = Email, min_length = 3, max_length = 255, example = "bob@example.com")]
    pub(crate) email: String,
    /// The six digits.
    #[schema(pattern = r"^[0-9]{6}$", min_length = 6, max_length = 6, example = "123456")]
    pub(crate) code: String,
}

/// Where a code is to be sent.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub(crate) struct MailAddress {
    /// The address of the account.
    #[schema(format = Email, min_length = 3, max_length = 255, example = "bob@example.com")]
    pub(crate) email: String,
}

/// A code that came by mail, and the password to set.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub(crate) struct PasswordReset {
    /// The address that it was sent to.
    #[schema(format = Email, min_length = 3, max_length = 255, example = "bob@example.com")]
    pub(crate) email: String,
    /// The six digits.
    #[schema(pattern = r"^[0-9]{6}$", min_length = 6, max_length = 6, example = "123456")]
    pub(crate) code: String,
    /// The new password: at least `PASSWORD_MIN_LENGTH` characters (8 unless set), one letter and one digit.
    #[schema(format = Password, min_length = 8, max_length = 1024, example = "at least 8 with 1 digit")]
    pub(crate) new_password: String,
}

/// What happened, for people.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Said {
    /// A sentence.
    pub(crate) message: &'static str,
}
