package inventory

import "github.com/ovnguard/ovnguard/internal/persistent"

// changes is what the parts of an inventory share while they are changed.
type changes struct {
	// edit is the series of changes since the last snapshot. What these made may be written to: nobody else has it.
	edit *persistent.Edit
	// affected are the subjects that changes touched since Affected was asked last.
	affected map[Subject]bool
}

// affectException notes that an exception is to be judged again.
func (c *changes) affectException(namespace, name string) {
	c.affected[Subject{SubjectException, namespace, name}] = true
}

// affectGroup notes that a security group is to be judged again.
func (c *changes) affectGroup(name string) {
	c.affected[Subject{Kind: SubjectGroup, Name: name}] = true
}

// Affected returns the subjects that changes touched since it was asked last, in no order.
func (c *changes) Affected() []Subject {
	if len(c.affected) == 0 {
		return nil
	}
	subjects := make([]Subject, 0, len(c.affected))
	for t := range c.affected {
		subjects = append(subjects, t)
	}
	clear(c.affected)
	return subjects
}

// affectChassis notes that a chassis is to be judged again.
func (c *changes) affectChassis(uuid string) {
	c.affected[Subject{Kind: SubjectChassis, Name: uuid}] = true
}
