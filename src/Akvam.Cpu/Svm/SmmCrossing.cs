using Akvam.Cpu.Memory;
using Akvam.Cpu.Smm;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Svm;

/// <summary>
/// An SMI that L1 does not intercept while L2 runs: L2 is left for the handler, with a note in the SMRAM image and L1's state in its host save area, and RSM goes
/// back into it. semantics.md 3.5. [APM2 15.22.3]
/// </summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> and the image it is given.</remarks>
internal static unsafe class SmmCrossing
{
    /// <summary>
    /// After L2's registers were put into the image: L1's are those of the processor afterwards. False: L2's VMCB or the host save area cannot be written, or L1's
    /// page tables cannot be read.
    /// </summary>
    public static bool Suspend(CpuState* s, SmramStateMap64* image)
    {
        Processor p = Processor.Of(s);
        VmcbSave host = *p.Nested.Host;
        image->SvmGuestFlag = 1;
        image->SvmGuestVmcb = p.Nested.Vmcb;
        VmExit.Leave(s, SvmExitCode.Software);
        return s->TripleFault == 0 && VmcbTransfer.Write(s, p.Msrs.HostSavePa + VmcbSave.Offset, &host);
    }

    /// <summary>
    /// Back into L2, whose registers but CR2 RSM has loaded from the image, so that what the handler changed there counts. The VMCB is judged as VMRUN would, from one
    /// copy of it: the handler, or L1's other processors, may have written anything to it. False: RSM fails, and nothing has changed.
    /// </summary>
    public static bool Resume(CpuState* s, ulong address)
    {
        Processor p = Processor.Of(s);
        byte* page = stackalloc byte[VmcbControl.Size + VmcbSave.Size];
        var control = (VmcbControl*)page;
        var save = (VmcbSave*)(page + VmcbSave.Offset);
        VmcbSave area, host = default;
        if ((s->Efer & Efer.SVME) == 0
            || (address & (0xFFF | p.Cpuid.ReservedAddressBits)) != 0
            || !PhysicalAccess.Read(s, address, page, VmcbControl.Size + VmcbSave.Size)
            || !PhysicalAccess.Read(s, p.Msrs.HostSavePa + VmcbSave.Offset, &area, VmcbSave.Size))
        {
            return false;
        }

        // The rest of the host save area may hold what L1 likes.
        VmcbTransfer.Copy(&area, &host);
        VmcbCheck.Canonicalize(control);
        if (!VmcbCheck.IsValid(s, control) || !VmcbCheck.IsValid(s, save) || !VmcbCheck.IsValidHost(s, &host))
        {
            return false;
        }

        *p.Nested.Host = host;
        Vmrun.Join(s, address, control);
        s->Cr2 = save->Cr2;
        TlbControl.FlushAll(s);
        return true;
    }
}
