using Akvam.Abi;
using Akvam.Cpu;

namespace Akvam.KvmTests.Nested;

/// <summary>
/// L2 is interrupted by SMIs and moved to another VM at every instruction boundary from VMRUN over both handlers to L1's HLT: it ends as if it had not been moved.
/// semantics.md 7.4, invariant 5, and 8 (G30): the other VM's vCPU has never seen EFER.SVME set when RSM takes it back to L2.
/// </summary>
public sealed class SmmMigrationInL2
{
    private const int Steps = 40, FirstSmi = 4, SecondSmi = 8, ThirdSmi = 20, SmramSize = 0x4_0000;
    private const ulong Handler = 0x3_8000, Counter = 0x3_9000;

    /// <summary>l: inc rax; add [0C000h], rax; rol rbx, 3; xor rbx, rax; dec ecx; jnz l; vmmcall.</summary>
    private static ReadOnlySpan<byte> L2 =>
        [0x48, 0xFF, 0xC0, 0x48, 0x01, 0x04, 0x25, 0, 0xC0, 0, 0, 0x48, 0xC1, 0xC3, 0x03, 0x48, 0x31, 0xC3, 0xFF, 0xC9, 0x75, 0xEA, 0x0F, 0x01, 0xD9];

    /// <summary>inc word cs:[9000h]; add word cs:[0FFF8h], 100h (the saved RAX); rsm.</summary>
    private static ReadOnlySpan<byte> SmiHandler => [0x2E, 0xFF, 0x06, 0x00, 0x90, 0x2E, 0x81, 0x06, 0xF8, 0xFF, 0x00, 0x01, 0x0F, 0xAA];

    [Theory]
    [InlineData(false, EngineKind.Interpreter)]
    [InlineData(false, EngineKind.Translator)]
    [InlineData(true, EngineKind.Interpreter)]
    [InlineData(true, EngineKind.Translator)]
    public void G30_MovedAtEveryBoundaryOfAnSmiInL2ItEndsAlike(bool nestedStateLast, EngineKind engine)
    {
        using Hypervisor reference = Start(engine);
        int end = Advance(reference, 0, Steps);
        Assert.InRange(end, ThirdSmi + 3, Steps - 1);
        Assert.Equal(Akvam.Cpu.Svm.SvmExitCode.Vmmcall, reference.Control.ExitCode);
        Assert.Equal(3, ReadSmram(reference)[Counter]);
        bool inHandler = false, inL2 = false;
        for (int point = 0; point < end; point++)
        {
            using Hypervisor source = Start(engine);
            Assert.Equal(point, Advance(source, 0, point));
            using Hypervisor target = new([0xF4], engine);
            Map(target);
            Copy(source, target, nestedStateLast);
            inHandler |= target.Vcpu.GetVcpuEvents().smi.smm != 0;
            inL2 |= target.InGuest;
            Assert.Equal(source.Vcpu.GetNestedState(), target.Vcpu.GetNestedState());
            Assert.Equal(end, Advance(target, point, Steps));
            AbiAssert.Equal(reference.Vcpu.GetRegs(), target.Vcpu.GetRegs());
            AbiAssert.Equal(reference.Vcpu.GetSregs(), target.Vcpu.GetSregs());
            AbiAssert.Equal(reference.Vcpu.GetVcpuEvents(), target.Vcpu.GetVcpuEvents());
            Assert.Equal(reference.Vcpu.GetNestedState(), target.Vcpu.GetNestedState());
            Assert.Equal(reference.Guest.Read(0, (int)Guest.MemorySize), target.Guest.Read(0, (int)Guest.MemorySize));
            Assert.Equal(ReadSmram(reference), ReadSmram(target));
        }

        Assert.True(inHandler && inL2);
    }

    private static Hypervisor Start(EngineKind engine)
    {
        var h = new Hypervisor(L2, engine);
        Map(h);
        h.Vcpu.SetRegs(h.Vcpu.GetRegs() with { rcx = 3 });
        return h;
    }

    private static void Map(Hypervisor h)
    {
        h.Guest.Vm.MapMemory(1 << 16, 0, h.Guest.Vm.AllocateMemory(SmramSize));
        h.Guest.Vm.WriteMemory(Handler, SmiHandler, space: 1);
    }

    private static byte[] ReadSmram(Hypervisor h)
    {
        var data = new byte[SmramSize];
        h.Guest.Vm.ReadMemory(0, data, space: 1);
        return data;
    }

    /// <summary>Instruction by instruction; the second SMI comes while the handler of the first runs. Returns the step that L1's HLT is, or the last.</summary>
    private static int Advance(Hypervisor h, int from, int to)
    {
        for (int step = from; step < to; step++)
        {
            if (step is FirstSmi or SecondSmi or ThirdSmi)
            {
                h.Vcpu.Smi();
            }
            else if (h.Vcpu.Run(1).Reason is var reason && reason != KvmExit.KVM_EXIT_INTR)
            {
                Assert.Equal(KvmExit.KVM_EXIT_HLT, reason);
                return step;
            }
        }

        return to;
    }

    private static void Copy(Hypervisor from, Hypervisor to, bool nestedStateLast)
    {
        to.Guest.Write(0, from.Guest.Read(0, (int)Guest.MemorySize));
        to.Guest.Vm.WriteMemory(0, ReadSmram(from), space: 1);
        Vcpu source = from.Vcpu, target = to.Vcpu;

        // As a vCPU that was just made: SVM off.
        target.SetSregs(target.GetSregs() with { efer = 0x500 });
        kvm_msr_entry[] msrs = [new() { index = 0x9E }, new() { index = 0x34 }, new() { index = Hypervisor.MsrHostSave }];
        Assert.Equal(msrs.Length, source.GetMsrs(msrs));
        kvm_vcpu_events events = source.GetVcpuEvents();
        target.SetSregs(source.GetSregs());
        if (!nestedStateLast)
        {
            target.SetNestedState(source.GetNestedState());
            target.SetRegs(source.GetRegs());
        }

        Assert.Equal(msrs.Length, target.SetMsrs(msrs));
        target.SetVcpuEvents(events);
        target.SetMpState(source.GetMpState());
        target.SetDebugregs(source.GetDebugregs());
        if (nestedStateLast)
        {
            target.SetRegs(source.GetRegs());
            target.SetNestedState(source.GetNestedState());
        }
    }
}
