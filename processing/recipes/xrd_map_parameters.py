"""What may be asked of a diffraction map: type, limits and meaning of each parameter."""

from typing import Annotated, Literal

from pydantic import Field

from processing.recipes.xrd_map_phases import RegionChoice
from processing.science.diffraction.integrator import ErrorModel, Splitting, Unit

Bins = Annotated[int, Field(ge=10, le=100_000, description="Number of bins along the radial axis")]
AxisUnit = Annotated[Unit, Field(description="Radial axis of the map")]
MapShape = Annotated[
    tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None,
    Field(description="Rows and columns of the map; by default as the scan states it"),
]
Zigzag = Annotated[bool, Field(description="Odd rows were taken backwards (snake, meander)")]
MonitorName = Annotated[
    str | None,
    Field(
        max_length=500,
        description="Name or path of the beam monitor to normalise by; none by default",
    ),
]
RadialRange = Annotated[
    tuple[float, float] | None,
    Field(description="Low and high edge of the radial axis, in its unit; all by default"),
]
AzimuthRange = Annotated[
    tuple[Annotated[float, Field(ge=-180, le=360)], Annotated[float, Field(ge=-180, le=360)]]
    | None,
    Field(
        description="Sector of the rings to take; all by default",
        json_schema_extra={"unit": "deg", "advanced": True},
    ),
]
Polarization = Annotated[
    float | None,
    Field(
        ge=-1,
        le=1,
        description="From -1 (vertical) to 1 (horizontal); none leaves it uncorrected",
        json_schema_extra={"advanced": True},
    ),
]
SolidAngle = Annotated[
    bool,
    Field(
        description="Correct for the solid angle of each pixel",
        json_schema_extra={"advanced": True},
    ),
]
Orientation = Annotated[
    Literal[1, 2, 3, 4] | None,
    Field(
        description="Corner of the first pixel, seen from behind the camera: 1 top left, "
        "2 top right, 3 bottom right, 4 bottom left; by default as the PONI file states it",
        json_schema_extra={"advanced": True},
    ),
]
PixelSplitting = Annotated[
    Splitting,
    Field(
        description="How a pixel is shared among bins: by its outline, its bounding box, "
        "or not at all",
        json_schema_extra={"advanced": True},
    ),
]
Errors = Annotated[
    ErrorModel,
    Field(
        description="Errors from counting statistics, from the spread within a ring, or none",
        json_schema_extra={"advanced": True},
    ),
]
Clip = Annotated[
    float | None,
    Field(
        ge=1,
        le=100,
        description="Leave out pixels, such as spots of single crystals, further from the mean "
        "of their ring than this many standard deviations; none by default",
        json_schema_extra={"advanced": True},
    ),
]
AzimuthBins = Annotated[
    int | None,
    Field(
        ge=2,
        le=3600,
        description="Also write each frame against radius and azimuth, in this many sectors",
        json_schema_extra={"advanced": True},
    ),
]
ImagesPath = Annotated[
    str | None,
    Field(
        max_length=500,
        description="Path of the images in an HDF5 file; by default they are searched for",
        json_schema_extra={"advanced": True},
    ),
]
Regions = Annotated[
    tuple[RegionChoice, ...],
    Field(
        max_length=32,
        description="Regions of interest: name, low, high, unit (of the map), background "
        "(linear or none)",
    ),
]
Phases = Annotated[
    tuple[Annotated[str, Field(max_length=60)], ...],
    Field(max_length=16, description="Phases to fit, by pyFAI's names of calibrants"),
]
PhaseWidth = Annotated[
    float | None,
    Field(
        ge=0.001,
        le=10,
        description="Width of the lines of calibrants at half maximum, in 2θ; found out by default",
        json_schema_extra={"unit": "deg", "advanced": True},
    ),
]
PhaseBackground = Annotated[
    int,
    Field(
        ge=4,
        le=40,
        description="Splines of the smooth background under the phases",
        json_schema_extra={"advanced": True},
    ),
]
ReferenceUnit = Annotated[
    Unit | None,
    Field(
        description="Axis of those references that do not state it",
        json_schema_extra={"advanced": True},
    ),
]
Verified = Annotated[
    int,
    Field(
        ge=2,
        le=1000,
        description="Frames that pyFAI integrates again, to compare",
        json_schema_extra={"advanced": True},
    ),
]
ByPyfai = Annotated[
    bool,
    Field(
        description="Have pyFAI itself integrate every frame: slower, the same numbers",
        json_schema_extra={"advanced": True},
    ),
]
