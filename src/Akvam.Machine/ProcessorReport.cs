using System.Text;
using Akvam.Abi;

namespace Akvam.Machine;

/// <summary>A processor's state in text, for people who look for a fault in a guest.</summary>
internal static class ProcessorReport
{
    private const ulong Cr0ProtectedMode = 1, Cr0Paging = 1UL << 31, RflagsVm = 1UL << 17, EferLma = 1UL << 10;

    /// <summary>The state in a few lines.</summary>
    public static string Describe(Vcpu vcpu, bool inSmm, IEnumerable<ExitRecord> exits)
    {
        kvm_regs r = vcpu.GetRegs();
        kvm_sregs s = vcpu.GetSregs();
        uint activity = vcpu.GetMpState().mp_state;
        var text = new StringBuilder();
        text.AppendLine($"vCPU {vcpu.Id}: {Mode(in r, in s)}, CPL {s.ss.dpl}{(inSmm ? ", in SMM" : "")}{Activity(activity, in r)}");
        text.AppendLine($"  rip {s.cs.selector:x4}:{r.rip:x16}  rflags {r.rflags:x8}  rsp {s.ss.selector:x4}:{r.rsp:x16}");
        text.AppendLine($"  rax {r.rax:x16} rbx {r.rbx:x16} rcx {r.rcx:x16} rdx {r.rdx:x16}");
        text.AppendLine($"  rsi {r.rsi:x16} rdi {r.rdi:x16} rbp {r.rbp:x16} r8  {r.r8:x16}");
        text.AppendLine($"  r9  {r.r9:x16} r10 {r.r10:x16} r11 {r.r11:x16} r12 {r.r12:x16}");
        text.AppendLine($"  r13 {r.r13:x16} r14 {r.r14:x16} r15 {r.r15:x16} cr2 {s.cr2:x16}");
        text.AppendLine($"  cr0 {s.cr0:x8} cr3 {s.cr3:x16} cr4 {s.cr4:x8} efer {s.efer:x4}  idt {s.idt.@base:x16}:{s.idt.limit:x4} gdt {s.gdt.@base:x16}:{s.gdt.limit:x4}");
        text.AppendLine($"  code {Code(vcpu.Vm, in r, in s, inSmm)}");
        string last = string.Join("; ", exits);
        text.Append($"  last exits: {(last.Length > 0 ? last : "none")}");
        return text.ToString();
    }

    /// <summary>The operating mode in words.</summary>
    public static string Mode(in kvm_regs r, in kvm_sregs s)
    {
        if ((s.cr0 & Cr0ProtectedMode) == 0)
        {
            return "real mode";
        }

        string paging = (s.cr0 & Cr0Paging) != 0 ? ", paging" : "";
        return (s.efer & EferLma) != 0
            ? s.cs.l != 0 ? "64-bit mode" : s.cs.db != 0 ? "32-bit compatibility mode" : "16-bit compatibility mode"
            : (r.rflags & RflagsVm) != 0 ? $"virtual-8086 mode{paging}"
            : s.cs.db != 0 ? $"32-bit protected mode{paging}" : $"16-bit protected mode{paging}";
    }

    private static string Activity(uint activity, in kvm_regs r) => activity switch
    {
        KvmState.KVM_MP_STATE_HALTED => (r.rflags & 0x200) != 0 ? ", halted" : ", halted with interrupts off",
        KvmState.KVM_MP_STATE_UNINITIALIZED => ", not started",
        KvmState.KVM_MP_STATE_INIT_RECEIVED => ", waiting for SIPI",
        _ => "",
    };

    /// <summary>The bytes at the instruction pointer, as far as they can be found without a page walk.</summary>
    private static string Code(Vm vm, in kvm_regs r, in kvm_sregs s, bool inSmm)
    {
        ulong linear = (s.cs.l != 0 ? 0 : s.cs.@base) + r.rip;
        ulong? physical = PageWalk.Translate(vm, in s, linear, inSmm ? 1 : 0);
        if (physical is not { } address)
        {
            return $"at linear {linear:x}: not mapped";
        }

        byte[] bytes = new byte[Math.Min(8, 0x1000 - (int)(address & 0xFFF))];
        try
        {
            vm.ReadMemory(address, bytes, inSmm ? 1 : 0);
        }
        catch (KvmException)
        {
            return $"at physical {address:x}: no memory";
        }

        return string.Join(' ', bytes.Select(b => b.ToString("x2")));
    }
}
