"""Who hears that a product could not be made: [notifications] says, the owner by default."""

from collections.abc import Sequence

from catalogue.access import cleared_datasets
from catalogue.models import Dataset, Notice, User
from catalogue.notices import tell_all
from processing.models import Configuration, ProductRule
from processing.products.reviewing import Finding

_OWNER, _STEWARDS = "owner", "data-stewards"
_MOST = 100  # of one rule and pass: what fails by the thousand fails for one reason


def tell_failures(
    rule: ProductRule, failed: Sequence[Finding], configuration: Configuration | None
) -> None:
    """
    Tell those concerned of products that have just failed, each of them once.

    Parameters
    ----------
    rule : ProductRule
        Whose products.
    failed : sequence of Finding
        Their ``row.problem`` says why, and what to do.
    configuration : Configuration or None
        Its section [notifications] says whom.
    """
    if not failed:
        return
    settings = configuration.notifications if configuration else {}
    addressees = settings.get("failed", [_OWNER])
    stewards = User.objects.filter(is_data_steward=True, is_active=True)
    subjects = Dataset.objects.select_related("owner").in_bulk([f.row.pk for f in failed[:_MOST]])
    for finding in failed[:_MOST]:
        subject = subjects[finding.row.pk]
        people = set(stewards) if _STEWARDS in addressees else set()
        owner = subject.owner
        if _OWNER in addressees and owner and owner.is_active:
            people |= {owner} if cleared_datasets(owner).filter(pk=subject.pk).exists() else set()
        tell_all(
            people,
            Notice.Kind.FAILED,
            f"{rule.slug} of “{subject.title}” could not be made. {finding.verdict.detail} "
            f"{finding.row.problem or ''}".rstrip(),
            once=f"failed {rule.slug} {finding.wanted_run}",
            dataset=subject,
        )
