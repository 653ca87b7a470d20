"""New numbers in a compiled model: a retrained model's artifact, from that of its predecessor.

Parameters, instructions and quantisation of a compiled file depend on a model's numbers in ways that are known; this
package replaces them all, or refuses. It never guesses: what cannot be proven ends in ETB322 or ETB323.
"""

from edgetpu_build.compiler.reweight.graphs import architecture
from edgetpu_build.compiler.reweight.proof import Proven, Reweighted, prove

__all__ = ["Proven", "Reweighted", "architecture", "prove"]
