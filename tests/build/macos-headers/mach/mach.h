// SPDX-License-Identifier: MIT
// mach.h — of macOS: what the port needs of it, declared from the documented interface.
#ifndef MACOS_MACH_MACH_H
#define MACOS_MACH_MACH_H

#include <stdint.h>
typedef int kern_return_t;
typedef unsigned mach_port_t;
typedef unsigned mach_msg_type_number_t;
typedef unsigned natural_t;
typedef int *task_info_t;
typedef int *vm_region_info_t;
typedef int vm_prot_t;
extern mach_port_t mach_task_self_;
#define mach_task_self() mach_task_self_
#define KERN_SUCCESS 0
#define MACH_PORT_NULL 0
#define VM_PROT_EXECUTE 4
#define VM_MEMORY_APPLICATION_SPECIFIC_1 240
#define VM_MAKE_TAG(tag) ((int)((unsigned)(tag) << 24))
#pragma pack(push, 4)
typedef struct mach_task_basic_info {
    uint64_t virtual_size;
    uint64_t resident_size;
    uint64_t resident_size_max;
    int user_time[2];
    int system_time[2];
    int policy;
    int suspend_count;
} mach_task_basic_info_data_t;
typedef struct vm_region_extended_info {
    vm_prot_t protection;
    unsigned user_tag;
    unsigned pages_resident;
    unsigned pages_shared_now_private;
    unsigned pages_swapped_out;
    unsigned pages_dirtied;
    unsigned ref_count;
    unsigned short shadow_depth;
    unsigned char external_pager;
    unsigned char share_mode;
    unsigned pages_reusable;
} vm_region_extended_info_data_t;
#pragma pack(pop)
#define MACH_TASK_BASIC_INFO 20
#define MACH_TASK_BASIC_INFO_COUNT                                                                           \
    ((mach_msg_type_number_t)(sizeof(mach_task_basic_info_data_t) / sizeof(natural_t)))
#define VM_REGION_EXTENDED_INFO 13
#define VM_REGION_EXTENDED_INFO_COUNT                                                                        \
    ((mach_msg_type_number_t)(sizeof(vm_region_extended_info_data_t) / sizeof(int)))
#define SM_SHARED 4
#define SM_TRUESHARED 5
kern_return_t task_info(mach_port_t, unsigned, task_info_t, mach_msg_type_number_t *);

#endif
