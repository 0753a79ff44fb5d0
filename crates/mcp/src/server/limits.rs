//! How often a user may call a tool.

use syfthub_config::Rule;
use syfthub_domain::Result;
use syfthub_web::ApiError;
use syfthub_web::limits::RateLimiter;

use crate::tools::Kind;

/// Calls that change something are this much rarer than questions.
const WRITES_ARE_RARER: u32 = 6;

/// Counts calls per user and tool.
#[derive(Debug, Clone)]
pub(crate) struct ToolLimits {
    limiter: RateLimiter,
    rule: Rule,
}

impl ToolLimits {
    /// `rule` is what one user may ask of a tool that changes nothing.
    pub(crate) fn new(limiter: RateLimiter, rule: Rule) -> Self {
        Self { limiter, rule }
    }

    /// Counts a call; 429 beyond the rule.
    pub(crate) async fn check(&self, username: &str, kind: Kind) -> Result<()> {
        let rule = match kind {
            Kind::Publish | Kind::Update => {
                Rule { max: (self.rule.max / WRITES_ARE_RARER).max(1), ..self.rule }
            }
            Kind::Discover | Kind::Chat | Kind::Get | Kind::Search | Kind::Health => self.rule,
        };
        let key = format!("{}:{username}", kind.name());
        self.limiter.check("mcp-tool", &key, rule).await.map_err(ApiError::into_error)
    }
}
