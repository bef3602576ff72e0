// Command simulator is a fleet of simulated hosts for tests in other modules: see
// fleetsim.Main.
package main

import "github.com/casementhq/casement/internal/fleetsim"

func main() { fleetsim.Main() }
