from edgetpu_build import runtime as runtime
from edgetpu_build.api import Diagnostic as Diagnostic
from edgetpu_build.api import EdgeTpuBuildError as EdgeTpuBuildError
from edgetpu_build.api import Figure as Figure
from edgetpu_build.api import Figures as Figures
from edgetpu_build.api import Inspection as Inspection
from edgetpu_build.api import Outcome as Outcome
from edgetpu_build.api import Project as Project
from edgetpu_build.api import Result as Result
from edgetpu_build.api import compile as compile  # noqa: A004 the contract's name for it
from edgetpu_build.api import inspect as inspect

__version__: str
