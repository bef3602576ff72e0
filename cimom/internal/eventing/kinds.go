package eventing

import "github.com/casementhq/casement/cim"

// Kinds is a set of the kinds of intrinsic events about instances.
type Kinds uint8

// The kinds.
const (
	Creation Kinds = 1 << iota
	Modification
	Deletion

	everyKind = Creation | Modification | Deletion
)

// ClassName is the folded name of the class of the intrinsic events of one
// kind about instances.
func (k Kinds) ClassName() string {
	switch k {
	case Creation:
		return "__instancecreationevent"
	case Modification:
		return "__instancemodificationevent"
	}
	return "__instancedeletionevent"
}

// KindsOf are the kinds that events of a class and those below it can have;
// none where they are not about instances.
func KindsOf(class *cim.Class) Kinds {
	switch {
	case class.IsA("__InstanceCreationEvent"):
		return Creation
	case class.IsA("__InstanceModificationEvent"):
		return Modification
	case class.IsA("__InstanceDeletionEvent"):
		return Deletion
	case cim.EqualFold(class.Name, "__InstanceOperationEvent"), isAbove(class):
		return everyKind
	}
	return 0
}

// isAbove tells whether a class is above those of events about instances:
// whoever asks for all events asks for these too.
func isAbove(class *cim.Class) bool {
	return cim.EqualFold(class.Name, "__Event") || cim.EqualFold(class.Name, "__IndicationRelated")
}
