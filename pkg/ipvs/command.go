package ipvs

import "fmt"

// Op is what a Command does.
type Op uint8

// The operations. A New fails when the object exists, a Set or Del when it doesn't. A Set replaces every field.
const (
	NewService Op = iota + 1
	SetService
	DelService // with its destinations
	NewDestination
	SetDestination
	DelDestination
)

func (o Op) String() string {
	switch o {
	case NewService:
		return "add service"
	case SetService:
		return "edit service"
	case DelService:
		return "delete service"
	case NewDestination:
		return "add server"
	case SetDestination:
		return "edit server"
	case DelDestination:
		return "delete server"
	}
	return fmt.Sprintf("op %d", uint8(o))
}

// OnDestination says whether the operation is on a destination rather than on a service.
func (o Op) OnDestination() bool { return o >= NewDestination }

// Command is one change to a table. Operations on a destination need of Service only the key; DelService needs no more
// either, and DelDestination of Destination only the address.
type Command struct {
	Op          Op
	Service     Service
	Destination Destination
}

// String describes the command: "add server 192.0.2.10:80 NAT weight 1 to tcp 192.0.2.1:80".
func (c Command) String() string {
	switch c.Op {
	case NewService, SetService:
		return c.Op.String() + " " + c.Service.String()
	case NewDestination, SetDestination:
		return fmt.Sprintf("%s %s of %s", c.Op, c.Destination, c.Service.ServiceKey)
	case DelDestination:
		return fmt.Sprintf("%s %s of %s", c.Op, c.Destination.Addr, c.Service.ServiceKey)
	default:
		return c.Op.String() + " " + c.Service.ServiceKey.String()
	}
}
