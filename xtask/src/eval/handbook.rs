//! Questions about this repository's own documentation, as somebody would ask who has not read it.

use super::{Publisher, Question};
use crate::workspace;

/// The question, and the sections that answer it (separated by `|`).
const QUESTIONS: &[(&str, &str)] = &[
    ("How do I rotate the signing keys?", "Runbook: Rotate keys|Tokens: Keys and their change"),
    ("How can I restore a backup?", "Runbook: Restoring a backup"),
    ("How do I make a backup while the hub runs?", "Runbook: Making a backup|Runbook: Backing up"),
    ("Who can register on my hub?", "Accounts: Who may register|Runbook: Who may register"),
    ("How do I close registration to strangers?", "Accounts: Who may register|Runbook: Who may register"),
    ("A user forgot the password, what can I do?", "Runbook: Reset a password"),
    ("Why do mails not arrive?", "Runbook: Mail does not arrive|Accounts: Mail"),
    ("How do I set up sign-in with GitHub?", "Runbook: Sign in with Google|Accounts: Signing in with Google"),
    ("How do I find a request by its correlation id?", "Runbook: Find a request"),
    ("How do I read the audit log?", "Runbook: Read the audit log|Security: The audit log"),
    ("Can a deleted account be brought back?", "Runbook: Restore an account|Accounts: Switching off"),
    ("How do I stop the hub without losing requests?", "Runbook: Stop"),
    ("How do I upgrade to a new version?", "Runbook: Upgrade"),
    ("Where are the metrics?", "Runbook: Watch"),
    ("How do I make the first administrator?", "Accounts: The first administrator|Runbook: Start"),
    ("What makes a valid username?", "Accounts: Names and passwords"),
    ("How do I change my mail address?", "Accounts: Changing an account"),
    ("How do I publish a folder of documents?", "Publishing documents and models: A folder"),
    ("Can I publish a model that runs in Ollama?", "Publishing documents and models: A model"),
    ("How do I keep an endpoint private?", "Publishing documents and models: Who may ask"),
    (
        "My node runs on another machine, what address do I give?",
        "Publishing documents and models: Another machine",
    ),
    (
        "How does the hub know whether an endpoint is healthy?",
        "Publishing documents and models: Health|The REST API, a guided tour: Health",
    ),
    ("What scopes can an access token have?", "Tokens: Access tokens"),
    (
        "What is a satellite token and how do I verify one?",
        "Tokens: Satellite tokens|0007|The REST API, a guided tour: Identity provider",
    ),
    ("How long is a hub token valid?", "Tokens: Hub tokens|Settings: Tokens|Tokens"),
    ("Which SDK versions work?", "Published SDKs against this hub"),
    ("How does the session cookie of browsers work?", "Security: Sessions and browsers"),
    ("How are passwords stored?", "Security: What is protected|Security: Logins"),
    ("What should I do when a key was stolen?", "Security: A key that was stolen"),
    ("How do I report a security hole?", "Security: Reporting a hole"),
    ("How is a search query written and which filters are there?", "The REST API, a guided tour: Discovery"),
    ("How do I call an endpoint through the hub?", "The REST API, a guided tour: Calling an endpoint"),
    (
        "What is a collective?",
        "The REST API, a guided tour: Collectives|Publishing documents and models: Collectives",
    ),
    (
        "Which setting bounds how many requests somebody may send?",
        "Settings: Limits|The REST API, a guided tour: Conventions",
    ),
    (
        "How do I point the hub to PostgreSQL?",
        "Settings: Database|Runbook: Configure|Runbook: Start|Runbook: Services",
    ),
    ("What does the error code INVALID_OTP mean?", "Error codes"),
    ("In which crate is the SQL?", "Architecture: The crates|Architecture: Rules|Adding an endpoint: 2."),
    ("What happens when a question is asked, step by step?", "Architecture: The life of one question"),
    ("Why is a password hashed on so few threads?", "0019|Security"),
    ("Why is there no ORM?", "0001|Architecture: Rules"),
];

/// One publisher: the documentation.
pub(super) fn set() -> (Vec<Publisher>, Vec<Question>) {
    let publisher = Publisher { name: "handbook".to_owned(), folder: workspace::root().join("docs") };
    let question = |(text, titles): &(&str, &str)| Question {
        text: (*text).to_owned(),
        titles: titles.split('|').map(str::to_owned).collect(),
        says: None,
    };
    (vec![publisher], QUESTIONS.iter().map(question).collect())
}
