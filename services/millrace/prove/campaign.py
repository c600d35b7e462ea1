"""From a schedule to its certificate; where a rule is broken, to the shortest schedule that still breaks it."""

import logging
from dataclasses import dataclass
from pathlib import Path

from millrace.prove.certificate import Certificate, make_certificate
from millrace.prove.checker import check
from millrace.prove.run import run_schedule
from millrace.prove.schedule import Schedule
from millrace.prove.shrink import shrink

log = logging.getLogger(__name__)
SCHEDULE_FILE, SHORTEST_FILE = "schedule.json", "shortest.json"


@dataclass(frozen=True)
class CampaignOptions:
    """`out` is where schedules, histories and logs go; `shrink_runs` how many runs a failure may cost besides."""

    out: Path
    deadline_s: float
    shrink_runs: int


@dataclass(frozen=True)
class CampaignResult:
    """The certificate of the schedule, and where it is violated the shortest schedule that was found to fail too."""

    certificate: Certificate
    shortest: Schedule | None


def prove_schedule(schedule: Schedule, options: CampaignOptions) -> CampaignResult:
    """Run a schedule, and shrink it where it fails. Raises MillraceError where a stack can't be started at all."""
    options.out.mkdir(parents=True, exist_ok=True)
    schedule.save(options.out / SCHEDULE_FILE)
    certificate = certify(schedule, options.out, options.deadline_s)
    if certificate.is_proved:
        return CampaignResult(certificate, None)
    broken = set(certificate.verdict.totals)
    tried = 0

    def fails(smaller: Schedule) -> bool:
        """Whether it breaks one of the rules that the first run broke: another fault is another story."""
        nonlocal tried
        tried += 1
        log.info("shrinking, run %d of at most %d: %d faults", tried, options.shrink_runs, len(smaller.faults))
        trial = certify(smaller, options.out / f"shrink-{tried}", options.deadline_s)
        return bool(broken & set(trial.verdict.totals))

    shortest = shrink(schedule, fails, options.shrink_runs)
    shortest.save(options.out / SHORTEST_FILE)
    return CampaignResult(certificate, shortest)


def certify(schedule: Schedule, out: Path, deadline_s: float) -> Certificate:
    """One run of a schedule, judged."""
    result = run_schedule(schedule, out, deadline_s)
    verdict = check(result.observation, deadline_s)
    faults = result.observation.history.faults
    return make_certificate(schedule, verdict, faults, result.skipped, result.versions, deadline_s)
