//! Answers that need no reading: counts, lists, agendas, next and last events, contact details, ages, distances
//! in time. Each is computed from typed lookups and says which items it rests on.

pub(crate) mod calendar;
pub(crate) mod contact;
pub(crate) mod mails;
pub(crate) mod occasion;

use crate::draft::Draft;
use crate::evidence::Context;
use crate::question::{Intent, Question};

/// The first lookup that can answer.
pub(crate) fn answer(
    context: &Context<'_>,
    question: &Question,
) -> Result<Option<Draft>, vault::error::Error> {
    if let Intent::Contact(field) = question.intent {
        return contact::field(context, question, field);
    }
    if question.intent == Intent::Age {
        return contact::age(context, question);
    }
    if question.intent == Intent::Who
        && let Some(draft) = contact::who(context, question)?
    {
        return Ok(Some(draft));
    }
    if let Some(draft) = mails::answer(context, question)? {
        return Ok(Some(draft));
    }
    calendar::answer(context, question)
}
