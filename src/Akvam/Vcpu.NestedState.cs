using System.Runtime.InteropServices;
using Akvam.Abi;
using Akvam.Cpu.State;
using Akvam.Cpu.Svm;

namespace Akvam;

/// <content>What L1 and L2 share of a vCPU: KVM_GET_NESTED_STATE, KVM_SET_NESTED_STATE. [KVM 4.114] [KVM 4.115]</content>
public sealed unsafe partial class Vcpu
{
    private const int NestedHeaderSize = 128;
    private const ushort KnownNestedFlags = KvmState.KVM_STATE_NESTED_GUEST_MODE | KvmState.KVM_STATE_NESTED_RUN_PENDING | KvmState.KVM_STATE_NESTED_GIF_SET;

    /// <summary>Most bytes of a nested state: header and one VMCB.</summary>
    public const int NestedStateSize = NestedHeaderSize + (int)KvmState.KVM_STATE_NESTED_SVM_VMCB_SIZE;

    /// <summary>
    /// The header and, in guest mode, a VMCB of L2's control area and L1's save area; L2's registers are those that the other calls give.
    /// </summary>
    /// <returns>128 or 4224 bytes.</returns>
    /// <exception cref="KvmException">EINVAL: <see cref="Kvm.Nested"/> is off.</exception>
    public byte[] GetNestedState()
    {
        lock (_gate)
        {
            CpuState* s = State();
            ThrowIfNotNested();
            bool guest = s->GuestMode != 0;
            var data = new byte[guest ? NestedStateSize : NestedHeaderSize];
            NestedState n = _processor.Nested;
            ref kvm_nested_state header = ref MemoryMarshal.AsRef<kvm_nested_state>(data.AsSpan());
            header.flags = (ushort)((s->Gif != 0 ? KvmState.KVM_STATE_NESTED_GIF_SET : 0) | (guest ? KvmState.KVM_STATE_NESTED_GUEST_MODE : 0));
            header.format = KvmState.KVM_STATE_NESTED_FORMAT_SVM;
            header.size = (uint)data.Length;
            if (guest)
            {
                header.hdr.svm.vmcb_pa = n.Vmcb;
                MemoryMarshal.Write(data.AsSpan(NestedHeaderSize), in *n.Control);
                MemoryMarshal.Write(data.AsSpan(NestedHeaderSize + VmcbSave.Offset), in *n.Host);
            }

            return data;
        }
    }

    /// <summary>
    /// Enters or leaves guest mode as <paramref name="data"/> says. L2's registers are set with the other calls, EFER.SVME before this one. Nothing is changed when it
    /// is refused. semantics.md 4.9
    /// </summary>
    /// <exception cref="KvmException">EINVAL: not a state of SVM, or one that VMRUN would refuse; or <see cref="Kvm.Nested"/> is off.</exception>
    public void SetNestedState(ReadOnlySpan<byte> data)
    {
        lock (_gate)
        {
            CpuState* s = State();
            ThrowIfNotNested();
            if (data.Length < NestedHeaderSize)
            {
                throw Refused("its size");
            }

            kvm_nested_state header = MemoryMarshal.Read<kvm_nested_state>(data);
            bool guest = (header.flags & KvmState.KVM_STATE_NESTED_GUEST_MODE) != 0, gif = (header.flags & KvmState.KVM_STATE_NESTED_GIF_SET) != 0;
            bool pending = (header.flags & KvmState.KVM_STATE_NESTED_RUN_PENDING) != 0;
            if (header.format != KvmState.KVM_STATE_NESTED_FORMAT_SVM || (header.flags & ~KnownNestedFlags) != 0 || (pending && !guest))
            {
                throw Refused("its format or flags");
            }

            if ((guest || pending) && ((s->Efer & Efer.SVME) == 0 || s->InSmm != 0))
            {
                throw Refused("guest mode without EFER.SVME, or in SMM");
            }

            if (guest)
            {
                EnterGuestMode(s, header.hdr.svm.vmcb_pa, data, pending);
            }
            else
            {
                NestedState.Abandon(s);
            }

            // Without SVM nothing could set it again.
            s->Gif = gif || (s->Efer & Efer.SVME) == 0 ? (byte)1 : (byte)0;
            Changed(s);
            ControlRegisters.Reloaded(s);
        }
    }

    private static void EnterGuestMode(CpuState* s, ulong vmcb, ReadOnlySpan<byte> data, bool pending)
    {
        if (data.Length < NestedStateSize)
        {
            throw Refused("its size");
        }

        VmcbControl control = MemoryMarshal.Read<VmcbControl>(data[NestedHeaderSize..]);
        VmcbSave host = MemoryMarshal.Read<VmcbSave>(data[(NestedHeaderSize + VmcbSave.Offset)..]);
        if (!ControlRegisters.IsValidCr0(s->Cr0) || !NestedState.TryRestore(s, vmcb, &control, &host, pending))
        {
            throw Refused("what VMRUN would refuse");
        }
    }

    private void ThrowIfNotNested()
    {
        if (!_vm.IsNested)
        {
            throw Refused("nested virtualization is off");
        }
    }

    private static KvmException Refused(string what) => new(Errno.EINVAL, $"nested state: {what}");
}
