from django.db import models


class Recipe(models.Model):
    """One version of a recipe, by its manifest; the code itself is never imported here."""

    name = models.CharField(max_length=64)
    version = models.CharField(max_length=40)
    title = models.CharField(max_length=200)
    # JSON as text: the order of roles and parameters means something, jsonb loses it.
    manifest = models.TextField()
    digest = models.CharField(max_length=64)
    registered_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="one_manifest_per_version")
        ]

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"
