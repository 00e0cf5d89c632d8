package doctorhost

import "golang.org/x/net/bpf"

// untagged lets through to the instructions after it what belongs to the interface itself. A frame of a VLAN comes twice: first with the
// interface below, the tag beside it, where another network's routers and addresses would be taken for this one's. VLAN 0 is none.
func untagged() []bpf.Instruction {
	const vlan = 0xfff
	return []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtVLANTagPresent},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 3},
		bpf.LoadExtension{Num: bpf.ExtVLANTag},
		bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: vlan, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
	}
}

// wanted is the filter of what listen wants of an Ethernet interface: ARP, adverts with and without an authentication header, multicast
// over UDP, and of ICMPv6 neighbour advertisements. A busy director has much else.
func wanted() []bpf.Instruction {
	const accept, end = 16, 17 // instructions
	to := func(from, instruction int) uint8 { return uint8(instruction - from - 1) }
	return []bpf.Instruction{
		0: bpf.LoadAbsolute{Off: 12, Size: 2},
		1: bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x0806, SkipTrue: to(1, accept)},
		2: bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x86dd, SkipTrue: to(2, 9)},
		3: bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0x0800, SkipTrue: to(3, end)},
		4: bpf.LoadAbsolute{Off: 23, Size: 1}, // protocol
		5: bpf.JumpIf{Cond: bpf.JumpEqual, Val: 112, SkipTrue: to(5, accept)},
		6: bpf.JumpIf{Cond: bpf.JumpEqual, Val: 51, SkipTrue: to(6, accept)},
		7: bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 17, SkipTrue: to(7, end)},
		8: bpf.Jump{Skip: uint32(to(8, 18))},
		// IPv6
		9:  bpf.LoadAbsolute{Off: 20, Size: 1}, // next header
		10: bpf.JumpIf{Cond: bpf.JumpEqual, Val: 112, SkipTrue: to(10, accept)},
		11: bpf.JumpIf{Cond: bpf.JumpEqual, Val: 51, SkipTrue: to(11, accept)},
		12: bpf.JumpIf{Cond: bpf.JumpEqual, Val: 58, SkipTrue: to(12, 20)},
		13: bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 17, SkipTrue: to(13, end)},
		14: bpf.LoadAbsolute{Off: 38, Size: 1}, // destination
		15: bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0xff, SkipTrue: to(15, end)},
		16: bpf.RetConstant{Val: 1 << 16},
		17: bpf.RetConstant{Val: 0},
		// UDP over IPv4
		18: bpf.LoadAbsolute{Off: 30, Size: 1}, // destination
		19: bpf.JumpIf{Cond: bpf.JumpLessThan, Val: 224, SkipTrue: to(19, 22), SkipFalse: to(19, 23)},
		// ICMPv6
		20: bpf.LoadAbsolute{Off: 54, Size: 1}, // type
		21: bpf.JumpIf{Cond: bpf.JumpEqual, Val: 136, SkipTrue: to(21, 23)},
		22: bpf.RetConstant{Val: 0},
		23: bpf.RetConstant{Val: 1 << 16},
	}
}
