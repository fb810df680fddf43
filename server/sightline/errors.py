"""The family of errors that leave Sightline's own functions.

SightlineError
├── SettingsError            a setting is unusable; names it and the value that would do
├── QueryError               the query box holds something that is no query
├── FolderError              a folder or file that was named cannot be used
├── DatabaseError            Postgres cannot be used
│   ├── DatabaseUnavailable  it does not answer (yet); trying again may help
│   │   └── DatabaseBusy     it answers, but all connections are in use
│   └── DatabaseUnfit        it answers, but a right, an extension or a version is missing
│       └── DatabaseGone     a project's database, which was removed or made anew
├── ProjectError             a project cannot be resolved or created
│   ├── ProjectNotFound
│   ├── ConfigError          .sightline/config.json cannot be read or is wrong; names the field
│   └── ProjectConflict      config and registry disagree
├── AnalysisError            a batch of files cannot be analysed: a worker process died on it
├── EmbedderError            vectors cannot be computed
│   └── EmbedderUnavailable  the embedding server does not answer (yet)
└── Cancelled                the user asked for the end of a job
"""

from __future__ import annotations


class SightlineError(Exception):
    """What went wrong in one sentence, and in `hint` what to do about it; neither holds a secret."""

    code = "internal"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class SettingsError(SightlineError):
    code = "badSetting"


class QueryError(SightlineError):
    code = "badQuery"


class FolderError(SightlineError):
    code = "badFolder"


class DatabaseError(SightlineError):
    code = "databaseFailed"


class DatabaseUnavailable(DatabaseError):
    code = "databaseUnavailable"


class DatabaseBusy(DatabaseUnavailable):
    code = "databaseBusy"


class DatabaseUnfit(DatabaseError):
    code = "databaseUnfit"


class DatabaseGone(DatabaseUnfit):
    pass


class ProjectError(SightlineError):
    code = "projectFailed"


class ProjectNotFound(ProjectError):
    code = "projectNotFound"


class ConfigError(ProjectError):
    code = "badConfig"


class ProjectConflict(ProjectError):
    code = "projectConflict"


class AnalysisError(SightlineError):
    code = "analysisFailed"


class EmbedderError(SightlineError):
    code = "embedderFailed"


class EmbedderUnavailable(EmbedderError):
    code = "embedderUnavailable"


class Cancelled(SightlineError):
    code = "cancelled"
