// SPDX-License-Identifier: MIT
// mach_vm.h — of macOS: what the port needs of it, declared from the documented interface.
#ifndef MACOS_MACH_MACH_VM_H
#define MACOS_MACH_MACH_VM_H

#include <mach/mach.h>
typedef uint64_t mach_vm_address_t;
typedef uint64_t mach_vm_size_t;
kern_return_t mach_vm_read_overwrite(mach_port_t, mach_vm_address_t, mach_vm_size_t, mach_vm_address_t,
                                     mach_vm_size_t *);
kern_return_t mach_vm_region(mach_port_t, mach_vm_address_t *, mach_vm_size_t *, int, vm_region_info_t,
                             mach_msg_type_number_t *, mach_port_t *);

#endif
