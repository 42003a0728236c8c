using Akvam.Cpu.Flags;
using Akvam.Cpu.Memory;
using Akvam.Cpu.Semantics;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Events;

internal static unsafe partial class TaskSwitch
{
    /// <summary>
    /// Loads the new task. From here on faults belong to it: all selectors are in place, with hidden parts that fault at any use, before the first
    /// descriptor is looked at. [SDM3 7.3 steps 10-14]
    /// </summary>
    private static Flow Enter(CpuState* s, in TaskImage image, bool nests, uint ext)
    {
        ulong flags = image.Eflags | (nests ? Rflags.NT : 0);
        LazyFlags.Write(s, flags);
        s->Rip = image.Eip;
        for (int i = 0; i < 8; i++)
        {
            s->Gpr[i] = image.Gpr[i];
        }

        bool vm86 = (flags & Rflags.VM) != 0;
        for (int i = 0; i < 6; i++)
        {
            SegmentRegister* r = &s->Es + i;
            *r = vm86 ? Segments.Virtual8086(image.Selectors[i]) : Segments.Null(in *r, image.Selectors[i]);
        }

        s->Ldtr = Segments.Null(in s->Ldtr, image.Ldt);
        s->Cpl = (byte)(vm86 ? 3 : image.Selectors[Segment.Cs] & 3);
        s->Dr7 &= ~LocalEnables;
        s->Shadow = InterruptShadow.None;
        Processor.Post(s, Request.Evaluate);
        if (image.DebugTrap)
        {
            s->PendingDebug |= DebugTaskSwitch;
        }

        bool good = LoadAddressSpace(s, in image, ext);
        Processor.UpdateMode(s);
        good = good && LoadLdt(s, image.Ldt, ext) && (vm86 || LoadSegments(s, in image, ext));
        Processor.UpdateMode(s);
        if (good && s->Rip > s->Cs.Limit)
        {
            Fault.Gp(s, ext);
            good = false;
        }

        return good ? Flow.Jump : Flow.End;
    }

    private static bool LoadLdt(CpuState* s, ushort selector, uint ext)
    {
        if (Segments.IsNull(selector))
        {
            return true;
        }

        uint error = (selector & 0xFFFCu) | ext;
        if ((selector & 4) != 0)
        {
            Fault.Ts(s, error);
            return false;
        }

        if (!DescriptorTable.Read(s, selector, Vector.TS, error, out Descriptor d))
        {
            return false;
        }

        if (!d.IsSystem || d.Type != Descriptor.Ldt || !d.IsPresent)
        {
            Fault.Ts(s, error);
            return false;
        }

        s->Ldtr = d.ToRegister(selector);
        s->Ldtr.Attributes = d.Attributes;
        return true;
    }

    private static bool LoadSegments(CpuState* s, in TaskImage image, uint ext)
    {
        if (!LoadCode(s, image.Selectors[Segment.Cs], ext))
        {
            return false;
        }

        ushort stack = image.Selectors[Segment.Ss];
        if (Segments.IsNull(stack))
        {
            Fault.Ts(s, ext);
            return false;
        }

        if (!Segments.CheckStack(s, stack, s->Cpl, Vector.TS, ext, out s->Ss))
        {
            s->Ss = Segments.Null(in s->Ss, stack);
            return false;
        }

        return LoadData(s, Segment.Es, image.Selectors[Segment.Es], ext) && LoadData(s, Segment.Ds, image.Selectors[Segment.Ds], ext)
            && LoadData(s, Segment.Fs, image.Selectors[Segment.Fs], ext) && LoadData(s, Segment.Gs, image.Selectors[Segment.Gs], ext);
    }

    private static bool LoadCode(CpuState* s, ushort selector, uint ext)
    {
        uint error = (selector & 0xFFFCu) | ext;
        if (Segments.IsNull(selector))
        {
            Fault.Ts(s, ext);
            return false;
        }

        if (!DescriptorTable.Read(s, selector, Vector.TS, error, out Descriptor d))
        {
            return false;
        }

        if (!d.IsCode || (d.IsConforming ? d.Dpl > (selector & 3) : d.Dpl != (selector & 3)))
        {
            Fault.Ts(s, error);
            return false;
        }

        if (!d.IsPresent)
        {
            Fault.Np(s, error);
            return false;
        }

        if (!DescriptorTable.SetAccessed(s, selector, d))
        {
            return false;
        }

        s->Cs = d.ToRegister(selector);
        return true;
    }

    private static bool LoadData(CpuState* s, int segment, ushort selector, uint ext)
    {
        if (Segments.IsNull(selector))
        {
            return true;
        }

        if (!Segments.CheckData(s, selector, Vector.TS, ext, out SegmentRegister value))
        {
            return false;
        }

        (&s->Es)[segment] = value;
        return true;
    }

    /// <summary>CR3, when paging is on and the task is a 32-bit one. A value that MOV CR3 would refuse is an invalid TSS.</summary>
    private static bool LoadAddressSpace(CpuState* s, in TaskImage image, uint ext)
    {
        if (!image.HasCr3 || (s->Cr0 & Cr0.PG) == 0 || ControlRegisters.TrySetCr3(s, image.Cr3))
        {
            return true;
        }

        Fault.Ts(s, (s->Tr.Selector & 0xFFFCu) | ext);
        return false;
    }
}
