"""What the OpenAPI document says beyond what the framework finds out."""

from typing import Any

_REFERENCE = "#/components/schemas/"


def forbid_unknown_fields(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """
    Say of every body that is sent to us that it has no other fields than those described.

    Parameters
    ----------
    result : dict
        The whole document, in which it is changed, too.
    """
    shapes: dict[str, Any] = result.get("components", {}).get("schemas", {})
    for path in result["paths"].values():
        for operation in path.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                name = content["schema"].get("$ref", "").removeprefix(_REFERENCE)
                if "properties" in shapes.get(name, {}):
                    shapes[name]["additionalProperties"] = False
    return result
