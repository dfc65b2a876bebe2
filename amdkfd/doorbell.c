// SPDX-License-Identifier: GPL-2.0-only
/*
 * Doorbell and MMIO pages in a process's address space (floor 2).
 *
 * A doorbell is a page that the process writes with plain stores. While a GPU
 * has nothing to do, the page is not mapped; the first store faults, the
 * provider is told (doorbell_fault) and the page is mapped. Idle again, the
 * provider takes the mapping away (kfd_gpu_doorbell_zap()).
 *
 * pdd->doorbell_lock makes "tell the provider, map the page" one step against
 * the zap. Without it a fault could tell a provider that then goes idle and
 * zaps, and map the page only after that: stores would go unseen. A provider
 * says to itself that it is idle first and zaps then; with the lock, either
 * the fault comes after the zap and tells it again, or its page table entry is
 * zapped and the next store faults.
 *
 * The event page, which is nobody's of this file, is given by fault as well;
 * its lock is process->mapping_lock.
 *
 * Lock order: mmap_lock > doorbell_lock, mapping_lock > the page tables' own.
 *
 * So that zapping finds the mappings of one process and no others, each
 * process has an address_space of its own. Its host is an inode of ours and
 * not that of /dev/kfd, as a process may outlive the file system that it
 * opened /dev/kfd on.
 */
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <linux/pseudo_fs.h>

#include "compat/compat.h"
#include "process.h"

static struct vfsmount *kfd_mapping_mnt;
static int kfd_mapping_mnt_count;
static struct inode *kfd_mapping_host;

static int kfd_mapping_init_fs_context(struct fs_context *fc)
{
	return init_pseudo(fc, ANON_INODE_FS_MAGIC) ? 0 : -ENOMEM;
}

/* No owner: the module holds the one mount, and lets it go when it exits. */
static struct file_system_type kfd_mapping_fs_type = {
	.name = "amdkfd",
	.init_fs_context = kfd_mapping_init_fs_context,
	.kill_sb = kill_anon_super,
};

/**
 * kfd_mapping_init() - make the inode behind all processes' mappings
 *
 * Context: module init.
 * Return: 0 or -ENOMEM or what mounting gives.
 */
int kfd_mapping_init(void)
{
	int ret;

	ret = simple_pin_fs(&kfd_mapping_fs_type, &kfd_mapping_mnt,
			    &kfd_mapping_mnt_count);
	if (ret)
		return ret;
	kfd_mapping_host = alloc_anon_inode(kfd_mapping_mnt->mnt_sb);
	if (IS_ERR(kfd_mapping_host)) {
		ret = PTR_ERR(kfd_mapping_host);
		simple_release_fs(&kfd_mapping_mnt, &kfd_mapping_mnt_count);
	}
	return ret;
}

/**
 * kfd_mapping_exit() - undo kfd_mapping_init()
 *
 * Context: module exit; no process is left.
 */
void kfd_mapping_exit(void)
{
	iput(kfd_mapping_host);
	simple_release_fs(&kfd_mapping_mnt, &kfd_mapping_mnt_count);
}

/**
 * kfd_mapping_setup() - prepare the address space of a process's files
 * @mapping: zeroed
 *
 * Context: any.
 */
void kfd_mapping_setup(struct address_space *mapping)
{
	address_space_init_once(mapping);
	mapping->host = kfd_mapping_host;
	mapping->a_ops = &empty_aops;
	mapping_set_gfp_mask(mapping, GFP_USER);
}

/**
 * kfd_mapping_check() - whether a fault may be given a page
 * @p: whose page it is
 * @vma: the mapping
 *
 * One that was left in the address space of before an adoption gets nothing,
 * nor does any when the process ends.
 *
 * Context: doorbell_lock of the GPU or mapping_lock held, until the page is
 * given: kfd_mapping_revoke() takes them all.
 * Return: 0 or VM_FAULT_SIGBUS.
 */
vm_fault_t kfd_mapping_check(const struct kfd_process *p,
			     const struct vm_area_struct *vma)
{
	if (vma->vm_mm != READ_ONCE(p->mm) || READ_ONCE(p->dead))
		return VM_FAULT_SIGBUS;
	return 0;
}

static vm_fault_t kfd_doorbell_vm_fault(struct vm_fault *vmf)
{
	struct kfd_process_device *pdd = vmf->vma->vm_private_data;
	struct kfd_doorbell *db = &pdd->doorbell;
	pgoff_t page = vmf->pgoff - (db->mmap_offset >> PAGE_SHIFT);
	vm_fault_t ret;

	if (page >= KFD_DOORBELL_SLICE_SIZE >> PAGE_SHIFT)
		return VM_FAULT_SIGBUS;

	mutex_lock(&pdd->doorbell_lock);
	ret = kfd_mapping_check(pdd->process, vmf->vma);
	if (!ret) {
		pdd->dev->ops->doorbell_fault(pdd->dev->gpu, db);
		ret = vmf_insert_pfn(vmf->vma, vmf->address, db->pfn + page);
	}
	mutex_unlock(&pdd->doorbell_lock);
	return ret;
}

static const struct vm_operations_struct kfd_doorbell_vm_ops = {
	.fault = kfd_doorbell_vm_fault,
};

static vm_fault_t kfd_mmio_vm_fault(struct vm_fault *vmf)
{
	struct kfd_process_device *pdd = vmf->vma->vm_private_data;
	vm_fault_t ret;

	mutex_lock(&pdd->doorbell_lock);
	ret = kfd_mapping_check(pdd->process, vmf->vma);
	if (!ret)
		ret = vmf_insert_pfn(vmf->vma, vmf->address,
				     pdd->doorbell.mmio_pfn);
	mutex_unlock(&pdd->doorbell_lock);
	return ret;
}

static const struct vm_operations_struct kfd_mmio_vm_ops = {
	.fault = kfd_mmio_vm_fault,
};

/**
 * kfd_mapping_revoke() - take all mappings of a process's files away
 * @p: the process, which has changed its address space just now, or is dead
 *
 * Nothing is mapped but by a fault, so a mapping that is only being made has
 * nothing that this could miss.
 *
 * Context: sleeps; process->lock held; takes mapping_lock and each GPU's
 * doorbell_lock, so that a fault comes before, or kfd_mapping_check() refuses
 * it.
 */
void kfd_mapping_revoke(struct kfd_process *p)
{
	u32 i;

	for (i = 0; i < p->n_pdds; i++) {
		mutex_lock(&p->pdds[i]->doorbell_lock);
		mutex_unlock(&p->pdds[i]->doorbell_lock);
	}
	mutex_lock(&p->mapping_lock);
	mutex_unlock(&p->mapping_lock);
	unmap_mapping_range(&p->mapping, 0, 0, 1);
}

/**
 * kfd_doorbell_mmap() - map a GPU's doorbell slice or MMIO page
 * @pdd: the process on that GPU
 * @vma: the mapping, of current's own address space, with the flags that the
 *	caller gives every mapping of /dev/kfd
 * @at: byte of the slice or page that it begins with, from its offset
 * @mmio: the MMIO page
 *
 * @pdd outlives the mapping: the mapping holds its file, the file the process.
 * Parts are for a restored process, whose mapping had been split.
 *
 * Context: mmap_lock held for writing.
 * Return: 0, or -EINVAL when the mapping does not end in the slice or page.
 */
int kfd_doorbell_mmap(struct kfd_process_device *pdd,
		      struct vm_area_struct *vma, u64 at, bool mmio)
{
	unsigned long size = mmio ? PAGE_SIZE : KFD_DOORBELL_SLICE_SIZE;
	unsigned long pfn = mmio ? pdd->doorbell.mmio_pfn : pdd->doorbell.pfn;

	if (at > size || vma->vm_end - vma->vm_start > size - at)
		return -EINVAL;

	/* Memory keeps the cache mode of its other mappings; registers can't. */
	if (!pfn_valid(pfn))
		vma->vm_page_prot = pgprot_noncached(vma->vm_page_prot);
	vma->vm_private_data = pdd;
	vma->vm_ops = mmio ? &kfd_mmio_vm_ops : &kfd_doorbell_vm_ops;
	return 0;
}

/**
 * kfd_gpu_doorbell_zap() - let the next store to a doorbell slice fault
 * @db: the slice
 *
 * Called by the provider after it has told itself that the slice is idle. What
 * was stored before this returns has to be looked for once more; what is
 * stored after it faults.
 *
 * Context: sleeps; no lock held that doorbell_fault() takes. Zapping page
 * table entries calls MMU notifiers of that range, as any unmapping does.
 */
void kfd_gpu_doorbell_zap(struct kfd_doorbell *db)
{
	struct kfd_process_device *pdd;

	pdd = container_of(db, struct kfd_process_device, doorbell);
	mutex_lock(&pdd->doorbell_lock);
	unmap_mapping_range(db->mapping, db->mmap_offset,
			    KFD_DOORBELL_SLICE_SIZE, 1);
	mutex_unlock(&pdd->doorbell_lock);
}
EXPORT_SYMBOL_GPL(kfd_gpu_doorbell_zap);
