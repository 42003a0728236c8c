using System.Runtime.CompilerServices;
using Akvam.Abi;
using Akvam.Cpu;
using Akvam.Cpu.State;

namespace Akvam;

/// <content>Between the processor's pending accesses and the run page.</content>
public sealed unsafe partial class Vcpu
{
    /// <summary>Puts the access that user space has to serve into the run page.</summary>
    private uint ReportAccess(kvm_run* run)
    {
        PendingAccess pending = _processor.Pending;
        switch (pending.Kind)
        {
            case PendingKind.PortRead:
            case PendingKind.PortWrite:
                run->io = new kvm_run.Io
                {
                    direction = pending.Kind == PendingKind.PortWrite ? KvmExit.KVM_EXIT_IO_OUT : KvmExit.KVM_EXIT_IO_IN,
                    size = (byte)pending.Size,
                    port = (ushort)pending.Address,
                    count = (uint)pending.Count,
                    data_offset = Akvam.RunPage.PioDataOffset,
                };
                if (pending.Kind == PendingKind.PortWrite && pending.Count > 1)
                {
                    pending.Data.CopyTo(new Span<byte>(_page.PioData, Akvam.RunPage.PioDataSize));
                }
                else if (pending.Kind == PendingKind.PortWrite)
                {
                    Unsafe.WriteUnaligned(_page.PioData, (uint)pending.Value);
                }

                return KvmExit.KVM_EXIT_IO;
            case PendingKind.MmioRead:
            case PendingKind.MmioWrite:
                run->mmio.phys_addr = pending.Address;
                run->mmio.len = (uint)pending.Size;
                run->mmio.is_write = pending.Kind == PendingKind.MmioWrite ? (byte)1 : (byte)0;
                Unsafe.WriteUnaligned(&run->mmio.data, pending.Kind == PendingKind.MmioWrite ? pending.Value : 0);
                return KvmExit.KVM_EXIT_MMIO;
            case PendingKind.MsrRead:
            case PendingKind.MsrWrite:
                run->msr = new kvm_run.Msr
                {
                    reason = (uint)pending.MsrRefusal,
                    index = (uint)pending.Address,
                    data = pending.Kind == PendingKind.MsrWrite ? pending.Value : 0,
                };
                return pending.Kind == PendingKind.MsrWrite ? KvmExit.KVM_EXIT_X86_WRMSR : KvmExit.KVM_EXIT_X86_RDMSR;
            default:
                return KvmExit.KVM_EXIT_INTR;
        }
    }

    /// <summary>Takes the client's answer to the access that the last exit reported.</summary>
    private void FinishAccess(kvm_run* run)
    {
        PendingAccess pending = _processor.Pending;
        bool failed = false;
        switch (pending.Kind)
        {
            case PendingKind.None:
                return;
            case PendingKind.PortRead when pending.Count > 1:
                Span<byte> elements = pending.Data;
                new ReadOnlySpan<byte>(_page.PioData, elements.Length).CopyTo(elements);
                break;
            case PendingKind.PortRead:
                pending.Value = Unsafe.ReadUnaligned<uint>(_page.PioData);
                break;
            case PendingKind.MmioRead:
                pending.Value = Unsafe.ReadUnaligned<ulong>(&run->mmio.data);
                break;
            case PendingKind.MsrRead:
                pending.Value = run->msr.data;
                failed = run->msr.error != 0;
                break;
            case PendingKind.MsrWrite:
                failed = run->msr.error != 0;
                break;
        }

        pending.Complete(failed);
    }

    /// <summary>The next instruction cannot be executed. Its bytes are shown, with NOPs behind them, if there is memory where they are. [KVM 7.24]</summary>
    private uint ReportEmulationFailure(kvm_run* run)
    {
        const byte Nop = 0x90;
        run->emulation_failure = default;
        run->emulation_failure.suberror = KvmExit.KVM_INTERNAL_ERROR_EMULATION;
        run->emulation_failure.ndata = 1;
        Span<byte> bytes = run->emulation_failure.insn_bytes;
        int size = _processor.ReadCode(bytes);
        if (size != 0)
        {
            bytes[size..].Fill(Nop);
            run->emulation_failure.insn_size = (byte)size;
            run->emulation_failure.flags = KvmExit.KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
            run->emulation_failure.ndata += (uint)(sizeof(byte) + bytes.Length) / sizeof(ulong);
        }
        else
        {
            bytes.Clear();
        }

        return KvmExit.KVM_EXIT_INTERNAL_ERROR;
    }

    private void RaiseUndefined(CpuState* s)
    {
        _processor.InjectedException = new FaultRecord { Vector = Cpu.State.Vector.UD };
        ExceptionIsPending = true;
        _exceptionHasPayload = false;
        Changed(s);
    }

    /// <summary>Something that Akvam cannot execute; the guest's state is that before it. [KVM 5 KVM_EXIT_INTERNAL_ERROR]</summary>
    private static uint ReportInternalError(kvm_run* run, uint suberror)
    {
        run->@internal.suberror = suberror;
        run->@internal.ndata = 0;
        return KvmExit.KVM_EXIT_INTERNAL_ERROR;
    }
}
